"""Golden cases of Loci-Segmented in time: from predictor and gate to the whole loop, and scores."""

import re

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.checkpoint_import import loci, loci_whole
from objectcentric_jax.checkpoint_import import loci_sequence as importer
from objectcentric_jax.checkpoint_import.names import convert
from objectcentric_jax.input.chunks import chunk, chunks_in
from objectcentric_jax.metrics import hard_masks
from objectcentric_jax.models.loci.latents import Latents
from objectcentric_jax.models.loci.loci import make_task
from objectcentric_jax.models.loci.mask_cleanup import (
  closed,
  largest_component,
  without_small,
)
from objectcentric_jax.models.loci.mask_cleanup import (
  hard_masks as chosen_masks,
)
from objectcentric_jax.models.loci.object_discovery import ObjectDiscovery
from objectcentric_jax.models.loci.predictor import Memory, Predictor
from objectcentric_jax.models.loci.proposal import (
  MASK_WEIGHT,
  ProposalNetwork,
  mask_loss,
  position_loss,
  proposal_targets,
  proposals,
)
from objectcentric_jax.models.loci.update_gate import UpdateGate
from tests.golden import case as golden
from tests.golden import elbo_training

SOURCE = "golden case"


def check_sequence(case: dict, arrays: dict) -> list[golden.Result]:
  """Compares what the case is about, as its inputs and parameters say."""
  inputs, names = inputs_of(arrays), set(case["params"])
  if "pred_masks" in inputs:
    return check_scores(case, arrays)
  if "mask_logits" in inputs:
    return check_cleanup(case, arrays)
  if "sampled_index_0" in inputs:
    return check_discovery(case, arrays)
  if "gt_masks" in inputs:
    return check_proposal(case, arrays)
  if "slot_init_indices" in inputs:
    return check_loop(case, arrays)
  if "occlusion_cur" in inputs:
    return check_gate(case, arrays)
  if any(name.startswith("predictor.l0rds") for name in names):
    return check_predictor(case, arrays)
  raise ValueError(f"no part of the model has these parameters: {sorted(names)[:3]}")


def inputs_of(arrays: dict) -> dict[str, np.ndarray]:
  """The inputs of a case by name."""
  return {
    name.removeprefix("inputs/"): array
    for name, array in arrays.items()
    if name.startswith("inputs/")
  }


def slots(array, count: int) -> np.ndarray:
  """Published [B, K c] to [B, K, c]."""
  return array.reshape(len(array), count, -1)


def flat(array) -> np.ndarray:
  """[B, K, c] to the published [B, K c]."""
  return np.asarray(array).reshape(len(array), -1)


def latents_of(inputs: dict, suffix: str, count: int) -> Latents:
  """The slots whose position, gestalt and priority have names with this ending."""
  return Latents(
    *(slots(inputs[f"{name}{suffix}"], count) for name in ("position", "gestalt", "priority"))
  )


def published(latents: Latents, suffix: str) -> dict[str, np.ndarray]:
  """The outputs of a case that hold these slots."""
  return {
    f"{name}{suffix}": flat(getattr(latents, name)) for name in ("position", "gestalt", "priority")
  }


def weighted(latents: Latents, weights: Latents) -> jax.Array:
  """Sum of the slots' entries times these."""
  return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, latents, weights)))


def gradient_results(case: dict, gradients, table: dict, prefix: str = "") -> list[golden.Result]:
  """Comparison of the gradient norms of all parameters, or of those with a prefix."""
  norms = elbo_training.norms_by_published_name(jax.device_get(gradients), table)
  norms = {prefix + name: norm for name, norm in norms.items()}
  expected = {n: v for n, v in case["grad_norms"].items() if n.startswith(prefix)}
  absent = [name for name in case.get("no_grad", ()) if name.startswith(prefix)]
  by_name = case.get("grad_norms_tolerance_by_name", {})
  return golden.compare_gradient_norms(
    case | {"no_grad": absent},
    norms,
    "gradient",
    expected,
    case.get("grad_norms_tolerance", 1e-3),
    by_name,
  )


def check_predictor(case: dict, arrays: dict) -> list[golden.Result]:
  """Outputs, memory, traces and gradients over several steps, cut where the case says."""
  config, inputs = case["config"], inputs_of(arrays)
  count, heads, layers = config["num_slots"], config["heads"], config["layers"]
  predictor = Predictor(config["channels"], layers, heads, config["reg_lambda"])
  steps = [latents_of(inputs, f"_{t}", count) for t in range(number_of(inputs, "position_"))]
  weights = latents_of({n.removeprefix("loss_weight_"): a for n, a in inputs.items()}, "", count)
  batch, width = config["batch_size"], heads * config["channels"]
  memory = Memory.zeros(batch, count, width, layers)
  template = jax.eval_shape(
    lambda key: predictor.init(key, steps[0], memory, False, False), elbo_training.KEY
  )
  table = importer.predictor_table("", "", layers)
  params = convert(case["state_dict"], table, template["params"], SOURCE)
  training = case["mode"] == "train"
  cut = restart(case)

  @jax.jit
  def run(params, steps):
    memory, loss, outputs = Memory.zeros(batch, count, width, layers), 0.0, {}
    for t, latents in enumerate(steps):
      if t == cut:
        memory, loss = jax.lax.stop_gradient(memory), 0.0
      latents, memory, openings = predictor.apply(
        {"params": params}, latents, memory, training, False
      )
      loss = loss + weighted(latents, weights)
      for name in ("position", "gestalt", "priority"):
        outputs[f"{name}_{t}"] = getattr(latents, name)
      outputs[f"hidden_{t}"] = memory.state
      outputs |= {f"openings_{t}_{i}": share for i, share in enumerate(openings)}
    return loss, (outputs, memory.traces)

  (loss, (outputs, traces)), gradients = jax.value_and_grad(run, has_aux=True)(params, steps)
  actual = {"loss": loss}
  for name, value in outputs.items():
    if name.startswith("hidden"):
      value = value.reshape(-1, width)
    actual[name] = value if name.startswith(("openings", "hidden")) else flat(value)
  for i, trace in enumerate(traces):
    for name, ours in TRACES.items():
      actual[f"trace_norm_{i}_{name}"] = jnp.linalg.norm(getattr(trace, ours).ravel())
  return golden.compare(case, arrays, actual) + gradient_results(case, gradients, table)


TRACES = {
  "e_w_gx": "gate_input",
  "e_w_gh": "gate_state",
  "e_b_g": "gate_bias",
  "e_w_rx": "candidate_input",
  "e_w_rh": "candidate_state",
  "e_b_r": "candidate_bias",
}


def restart(case: dict) -> int | None:
  """The step before which the state is detached and the loss begins anew."""
  found = re.search(r"restarted before step (\d+)", case.get("notes", ""))
  return int(found.group(1)) if found else None


def number_of(inputs: dict, prefix: str) -> int:
  """How many inputs are called prefix0, prefix1 and so on."""
  return sum(name.removeprefix(prefix).isdigit() for name in inputs if name.startswith(prefix))


def check_gate(case: dict, arrays: dict) -> list[golden.Result]:
  """Mixture, gates, and gradients of parameters and inputs."""
  config, inputs = case["config"], inputs_of(arrays)
  count, layers = config["num_slots"], config["num_layers"]
  gate = UpdateGate(config["num_hidden"], layers, config["noise_level"], config["reg_lambda"])
  weights = latents_of({n.removeprefix("loss_weight_"): a for n, a in inputs.items()}, "", count)
  ordered = (
    latents_of(inputs, "_cur", count),
    slots(inputs["occlusion_cur"], count),
    latents_of(inputs, "_last", count),
    slots(inputs["occlusion_last"], count),
  )
  template = jax.eval_shape(lambda key: gate.init(key, *ordered, False, False), elbo_training.KEY)
  table = importer.gate_table("", "", layers)
  params = convert(case["state_dict"], table, template["params"], SOURCE)
  training = case["mode"] == "train"

  @jax.jit
  def run(params, ordered):
    mixture, of_position, of_gestalt = gate.apply({"params": params}, *ordered, training, False)
    return weighted(mixture, weights), (mixture, of_position, of_gestalt)

  (loss, (mixture, of_position, of_gestalt)), (gradients, of_inputs) = jax.value_and_grad(
    run, argnums=(0, 1), has_aux=True
  )(params, ordered)
  seen, seen_occlusion, predicted, predicted_occlusion = of_inputs
  actual = {
    "loss": loss,
    "position_gate": flat(of_position),
    "gestalt_gate": flat(of_gestalt),
    **published(mixture, ""),
    **{f"input_grad/{n}": v for n, v in published(seen, "_cur").items()},
    **{f"input_grad/{n}": v for n, v in published(predicted, "_last").items()},
    "input_grad/occlusion_cur": flat(seen_occlusion),
    "input_grad/occlusion_last": flat(predicted_occlusion),
  }
  return golden.compare(case, arrays, actual) + gradient_results(case, gradients, table)


def check_discovery(case: dict, arrays: dict) -> list[golden.Result]:
  """Several calls in a row on the same state; those without a mask begin a sequence."""
  config, inputs = case["config"], inputs_of(arrays)
  count, weights = config["num_slots"], case["state_dict"]
  discovery = ObjectDiscovery(config["object_permanence_strength"], float(weights["threshold"][0]))
  parameters = {name: weights[name] for name in ("std", "depth")}
  batch = len(inputs["error_0"])
  presence, permanence = jnp.zeros((batch, count, 1)), jnp.asarray(weights["init.init"][0])
  nothing = Latents(*(jnp.zeros((batch, count, size)) for size in (4, config["gestalt_size"], 1)))
  actual = {}
  for t in range(number_of(inputs, "error_")):
    error = golden.images(inputs[f"error_{t}"])
    has_mask = f"mask_{t}" in inputs
    given = latents_of(inputs, f"_{t}", count) if has_mask else nothing
    mask = jnp.zeros((batch, count, *error.shape[1:]))
    if has_mask:
      mask = jnp.asarray(inputs[f"mask_{t}"][:, :-1, ..., None])
    arguments = (error, mask, jnp.full((batch,), has_mask), given, presence, permanence)
    sample = {"discovery": inputs[f"sampled_index_{t}"]}
    if not t:
      template = jax.eval_shape(
        lambda key: discovery.init({"params": key, "noise": key}, *arguments, sample),  # noqa: B023
        elbo_training.KEY,
      )
      table = importer.discovery_table("", "")
      params = convert(parameters, table, template["params"], SOURCE)
    found = discovery.apply(
      {"params": params}, *arguments, sample, rngs={"noise": elbo_training.KEY}
    )
    presence, permanence = found.presence, found.permanence
    actual |= published(found.latents, f"_{t}")
    actual[f"slot_reset_{t}"] = flat(found.alive)
    actual[f"last_mask_{t}"] = presence.reshape(-1, 1)
    actual[f"init_{t}"] = permanence.reshape(1)
  return golden.compare(case, arrays, actual)


def check_proposal(case: dict, arrays: dict) -> list[golden.Result]:
  """Losses and gradients of the proposal network; in evaluation its cleaned masks and positions."""
  config, inputs = case["config"]["model"], inputs_of(arrays)
  settings, uses_depth = config["position_proposal"], config["input_depth"]
  network = ProposalNetwork(
    settings["num_slots"],
    settings["base_channels"],
    tuple(settings["encoder_blocks"]),
    tuple(settings["decoder_blocks"]),
  )
  depth, rgb = golden.images(inputs["gt_depth"]), golden.images(inputs["gt_rgb"])
  targets = proposal_targets(jnp.asarray(inputs["gt_masks"])[..., None], depth, signed=False)
  foreground = targets.foreground
  if "fg_mask" in inputs:
    foreground = jnp.asarray(golden.images(inputs["fg_mask"]))
  picture = depth if uses_depth else rgb
  template = jax.eval_shape(lambda key: network.init(key, picture, foreground), elbo_training.KEY)
  blocks = network.encoder_blocks, network.decoder_blocks
  table = loci_whole.proposal_table("", "", *blocks)
  params = convert(case["state_dict"], table, template["params"], SOURCE)

  @jax.jit
  def run(params):
    position, logits = network.apply({"params": params}, picture, foreground)
    regulariser = position_loss(position, targets.position, None if uses_depth else depth)
    of_masks, iou = mask_loss(targets.masks, logits, background_class=False)
    return regulariser + MASK_WEIGHT * of_masks, (regulariser, of_masks, iou, position, logits)

  (loss, (regulariser, of_masks, iou, position, logits)), gradients = jax.value_and_grad(
    run, has_aux=True
  )(params)
  actual = {
    "loss": loss,
    "regularizer_loss": regulariser,
    "mask_loss": MASK_WEIGHT * of_masks,
    "iou": 100 * iou,
    "softmask": golden.nchw(jnp.clip(position[..., :3], 0, 1)),
    "position_map": golden.nchw(position),
    "mask_logits": logits[..., 0],
  }
  if case["mode"] == "eval":
    masks, places = proposals(logits, depth)
    actual |= {"mask": masks[..., 0], "position": places}
  results = golden.compare(case, arrays, actual)
  return results + (gradient_results(case, gradients, table) if "grad_norms" in case else [])


def check_cleanup(case: dict, arrays: dict) -> list[golden.Result]:
  """Every step of the clean-up of proposed masks."""
  window = case["config"]["kernel_size"]
  logits = jnp.asarray(inputs_of(arrays)["mask_logits"])[..., None]
  hard = chosen_masks(logits)
  largest = largest_component(hard)
  filled = closed(largest, window)
  steps = {
    "hard": hard,
    "largest": largest,
    "filled": filled,
    "cleaned": without_small(filled, window),
  }
  return golden.compare(case, arrays, {name: mask[..., 0] for name, mask in steps.items()})


def check_scores(case: dict, arrays: dict) -> list[golden.Result]:
  """Scores of masks that are sure of a pixel, by the published definitions."""
  inputs, threshold = inputs_of(arrays), case["config"]["threshold"]
  truth, masks = inputs["gt_masks"], inputs["pred_masks"]
  objects, components = truth.shape[1], masks.shape[1]
  labels = np.where(truth.max(1) > threshold, truth.argmax(1) + 1, 0)[:, None, ..., None]
  masks = jnp.asarray(masks)[:, None, ..., None]
  tables = hard_masks.frame_tables(jnp.asarray(labels), masks, objects + 1, threshold)
  tables = np.asarray(tables, np.float64)[:, 0]
  split = hard_masks.Split(
    objects=np.arange(objects + 1) > 0,
    slots=np.arange(components + 1) < components - 1,
    background=np.arange(components + 1) == components - 1,
  )
  overlap = hard_masks.matched_overlap(tables, split)
  foreground = jnp.asarray(labels > 0, jnp.float32)
  iou, f1 = hard_masks.soft_overlap(foreground, 1 - masks[:, :, -1])
  agreement = hard_masks.published_agreement(tables, split)
  actual = {
    **agreement,
    "fg_ami": hard_masks.published_information(tables, split, foreground=True),
    "ami": hard_masks.published_information(tables, split, foreground=False),
    "iou": overlap.iou.sum() / overlap.objects.sum(),
    "f1": overlap.f1.sum() / overlap.objects.sum(),
    "iou_sum": overlap.iou.sum(),
    "f1_sum": overlap.f1.sum(),
    "num_objects": overlap.objects.sum(),
    "oca": hard_masks.counted(tables, split),
    "fg_iou": iou[:, 0],
    "fg_f1": f1[:, 0],
  }
  return golden.compare(case, arrays, actual)


# The whole loop


def check_loop(case: dict, arrays: dict) -> list[golden.Result]:
  """Every step of all chunks, and the loss and its gradients of each chunk."""
  config, inputs = case["config"], inputs_of(arrays)
  model = loci_whole.model_config(config)
  weights = case["state_dict"]
  model |= loci.fields_of(weights, SOURCE)
  task = make_task(model)
  video = np.moveaxis(inputs["rgb"], 2, -1)
  batch = {"video": video, "depth": np.moveaxis(inputs["depth"], 2, -1)}
  batch |= {"time": np.zeros(len(video), np.int32)}
  template = jax.eval_shape(task.init, elbo_training.KEY, batch)
  params = loci.import_parameters(weights, model, template[0], SOURCE)
  table, training = loci_whole.table(model), case["mode"] == "train"
  carry, permanence = task.new_carry(batch), loci_whole.permanence(weights)
  actual, results, number = {}, [], 0

  @jax.jit
  def explain(params, carry, permanence, batch, draws):
    carry, steps = task.chunk(carry, batch)
    steps = steps.replace(draws=draws)

    def observe(seen, step):
      return task.terms_of_step(seen, step), seen

    carry, permanence, (terms, seen) = task.run(
      params, carry, permanence, steps, training, elbo_training.KEY, False, observe
    )
    loss, report = task.loss_of(terms, len(steps.time) + 1)
    return loss, (carry, permanence, report, seen, steps.time)

  differentiate = jax.jit(jax.value_and_grad(explain, has_aux=True))
  for index, part in enumerate(chunks_of(config, batch)):
    length = part["video"].shape[1]
    draws = draws_of(inputs, model, part["time"][0], number, length)
    arguments = (params, carry, permanence, part, draws)
    expected = any(name.startswith(f"chunk{index}/") for name in case.get("grad_norms", {}))
    if expected:
      found, gradients = differentiate(*arguments)
      results += gradient_results(case, gradients, table, f"chunk{index}/")
    else:
      found = explain(*arguments)
    loss, (carry, permanence, report, seen, times) = jax.device_get(found)
    actual |= published_report(f"chunk{index}/", loss, report)
    for i in range(length):
      step = jax.tree.map(lambda x: x[i], seen)  # noqa: B023
      actual |= published_step(f"step{number + i}/", step, times[i], case["outputs"])
    number += length
  return golden.compare(case, arrays, actual) + results


def chunks_of(config: dict, batch: dict) -> list[dict]:
  """The chunks of the published training: the first frame before the clip, then the clip."""
  length, lead = config["backprop_steps"], config["teacher_forcing"]
  lead -= lead % length
  count = chunks_in(batch["video"].shape[1], length, lead)
  return [chunk(batch, number, length, lead) for number in range(count)]


def draws_of(inputs: dict, model: dict, time: int, first: int, length: int) -> dict:
  """Given draws of the steps of a chunk that begins with the forward call `first`."""
  draws = {"discovery": jnp.asarray(inputs["slot_init_indices"][first : first + length])}
  batch = draws["discovery"].shape[1]
  shape = (length, batch, model["height"], model["width"], 1)
  draws["discovery_error"] = jnp.full(shape, 0.5)
  if "mask_drop_noise" in inputs:
    # Where a chunk begins, slots are decoded and dropped once more than in its other steps.
    noise = np.moveaxis(inputs["mask_drop_noise"], -1, 2)
    forced = [t for t in range(time - 1, time - 1 + length) if t < 0]
    calls = first + (first // length) if forced else 0
    taken = noise[calls : calls + len(forced) + 1] if forced else noise[:0]
    missing = np.zeros((length + 1 - len(taken), *noise.shape[1:]), noise.dtype)
    taken = jnp.asarray(np.concatenate([taken, missing]))
    draws["mask_drop_first"] = jnp.broadcast_to(taken[:1], taken[1:].shape)
    draws["mask_drop"] = taken[1:]
  return draws


VIEW = {  # published name: ours, [B, K, H, W, C] or [B, H, W, C]
  "output_rgb": "image",
  "output_depth": "depth",
  "mask": "masks",
  "rgb": "components",
  "depth": "depths",
  "mask_raw": "raw_masks",
  "depth_raw": "standard_depths",
}


def shared_pictures(array) -> np.ndarray:
  """[B, (K), H, W, C] to the published [B, K C, H, W]."""
  array = np.moveaxis(np.asarray(array), -1, -3)
  return array.reshape(len(array), -1, *array.shape[-2:])


def published_step(prefix: str, seen, time: int, expected: dict) -> dict[str, np.ndarray]:
  """What one step found, under the published names."""
  latents = {"reconstruction": (seen.reconstruction, seen.latents)}
  if time >= 0:
    latents["prediction"] = (seen.prediction, seen.predicted)
  actual = {}
  for name, (view, slots_) in latents.items():
    for theirs, ours in VIEW.items():
      actual[f"{prefix}{name}/{theirs}"] = shared_pictures(getattr(view, ours))
    actual[f"{prefix}{name}/occlusion"] = flat(view.occlusion)
    actual |= {f"{prefix}{name}/{n}": v for n, v in published(slots_, "").items()}
  actual[f"{prefix}reconstruction/uncertainty"] = shared_pictures(seen.uncertainty)
  actual[f"{prefix}prediction/bg_rgb"] = shared_pictures(seen.background)
  actual[f"{prefix}prediction/bg_depth"] = shared_pictures(seen.background_depth)
  for name in ("position_gate", "gestalt_gate"):
    actual[f"{prefix}prediction/{name}"] = flat(getattr(seen, name))
  losses = {"position_loss": seen.position_loss, "time_loss": seen.appearance_loss}
  losses |= {"object_loss": 0.0, "uncertainty_loss": seen.uncertainty_error}
  for name, value in losses.items():
    if f"{prefix}{name}" in expected:
      shape = expected[f"{prefix}{name}"]["shape"]
      actual[f"{prefix}{name}"] = np.reshape(value, shape)
  return actual


REPORT = {
  "bin_mean": "code_distance",
  "bin_std": "code_distance_deviation",
  "binarization_mean": "code_distance",
  "binarization_std": "code_distance_deviation",
  "gestalt_mean": "code",
  "num_slots": "slots",
}


def published_report(prefix: str, loss, report: dict) -> dict[str, np.ndarray]:
  """Loss and logs of a chunk under the published names."""
  actual = {f"{prefix}loss": loss}
  names = {"position_loss": report["position"], "time_loss": report["appearance"]}
  names |= {"object_loss": 0.0, "openings": report["openings"]}
  for view in ("reconstruction", "prediction"):
    for of in ("rgb", "depth"):
      names[f"{view}_{of}_loss"] = report[f"{view}_{of}"]
      for part in ("l1", "ssim"):
        names[f"{view}_{of}_{part}_loss"] = report[f"{view}_{of}_{part}"]
    for theirs, ours in REPORT.items():
      names[f"{view}_{theirs}"] = report[f"{view}_{ours}"]
    for theirs in ("bin_mean", "bin_std"):
      names[f"{view}_gestalt_{theirs}"] = report[f"{view}_{REPORT[theirs]}"]
  for gate in ("position_gate", "gestalt_gate"):
    names[f"prediction_{gate}"] = report[gate]
    names[f"prediction_{gate}_openings"] = report[f"{gate}_openings"]
  return actual | {f"{prefix}log/{name}": value for name, value in names.items()}
