"""Golden cases of Loci-Segmented: stages, background, losses, optimiser; the rest is in time."""

import re

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.checkpoint_import import loci as importer
from objectcentric_jax.losses import ssim
from objectcentric_jax.models.loci import (
  background_training,
  curricula,
  encoder_decoder,
  mask_drop,
  pretraining,
  regularisers,
)
from objectcentric_jax.models.loci.background_training import Pair
from objectcentric_jax.models.loci.decoders import mask_probability
from objectcentric_jax.models.loci.objects import objects_of
from objectcentric_jax.nn import gaussian_position
from objectcentric_jax.training.optimizers import ranger
from tests.golden import case as golden
from tests.golden import elbo_training
from tests.golden.loci_sequence import check_sequence

SOURCE = "golden case"
LOSS_TERMS = ("mask_loss", "rgb_loss", "depth_loss", "position_loss", "z_loss")
REPORTED = (
  *(*LOSS_TERMS, "mean_iou", "rgb_l1", "rgb_ssim", "depth_l1", "depth_ssim", "gestalt_loss"),
)


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Compares what the case is about, as its inputs say."""
  inputs = inputs_of(arrays)
  if "input_instance_mask" in inputs:
    return check_stage(case, arrays, inputs)
  if "source_rgb" in inputs:
    return check_background(case, arrays, inputs)
  if "rgb_target" in inputs:
    return check_losses(case, arrays, inputs)
  if any(name.startswith("grad/") for name in inputs):
    return check_optimizer(case, arrays, inputs)
  return check_sequence(case, arrays)


def inputs_of(arrays: dict) -> dict[str, np.ndarray]:
  """The inputs of a case by name, pictures as [B, H, W, C], whole numbers of pictures as shares."""
  inputs = {}
  for name, array in arrays.items():
    if name.startswith("inputs/"):
      array = array / np.float32(255) if array.dtype == np.uint8 else array
      array = golden.images(array) if array.ndim == 4 else array
      inputs[name.removeprefix("inputs/")] = jnp.asarray(array)
  return inputs


# Stages that learn from single objects


def check_stage(case: dict, arrays: dict, inputs: dict) -> list[golden.Result]:
  """Outputs, counters and gradients of one of the first stages, after one call or several."""
  squashed = importer.fields_of(case["state_dict"], SOURCE).get("squashed_deviation", False)
  model = importer.model_config(case["config"], stage_of(case), squashed)
  module = encoder_decoder if "passes" in model else pretraining
  task, dtype = module.make_task(model), golden.parameter_dtype(case)
  batch = {
    "image": inputs["input_rgb"],
    "depth": inputs["input_depth"],
    "mask": inputs["input_instance_mask"],
  }
  shapes = jax.eval_shape(task.init, elbo_training.KEY, batch)
  weights = case["state_dict"]
  params = importer.import_parameters(weights, model, shapes[0], SOURCE, dtype)
  state = importer.import_model_state(weights, {}, model, shapes[1], SOURCE)
  explain = jax.jit(jax.value_and_grad(explanation(task, batch, case["mode"]), has_aux=True))
  actual, calls = {}, number_of_calls(case)
  for call in range(calls):
    (_, (found, state)), gradients = explain(params, state)
    suffix = f"_call{call}" if calls > 1 else ""
    actual |= summaries({name + suffix: value for name, value in published(found, task).items()})
  for theirs, ours in importer.COUNTERS.items():
    if ours in state.get("counters", {}):
      value = np.asarray(state["counters"][ours], np.float64)
      actual[f"after/{theirs}"] = value.reshape(case["params"].get(theirs, {}).get("shape", ()))
  results = golden.compare(case, arrays, shaped(actual, case))
  if "grad_norms" not in case:
    return results
  return results + compare_gradients(case, gradients, importer.table(model))


def stage_of(case: dict) -> str:
  """Which stage the parameters of a case are of; of a whole pretrainer, what its config trains."""
  starts = {**importer.OF_PARTS, "embedding": importer.OF_PATCHES, "slots": importer.OF_SLOTS}
  found = [
    stage
    for stage, start in starts.items()
    if any(name.removeprefix(importer.PREFIX).startswith(start) for name in case["params"])
  ]
  if len(found) == 1:
    return found[0]
  mode = case["config"]["pretraining_mode"]
  return "slots" if mode == "all" else mode


def explanation(task, batch: dict, mode: str):
  """(params, state) -> (loss, (what was computed, state after it)), without noise."""
  training, objects = mode == "train", objects_of(batch)

  def explain_slots(params, state):
    terms, decoded, state = task.explain(params, state, objects, elbo_training.KEY, training, False)
    found = {**terms, **{n: getattr(decoded, n) for n in ("mask", "rgb", "depth")}}
    return terms, {**found, "position": decoded.position, "gestalt": decoded.gestalt}, state

  def explain_part(params, state):
    decoded, code, position = task.decode_objects(
      params, objects, elbo_training.KEY, training, False
    )
    terms = {n: value.mean() for n, value in task.object_terms(decoded, objects).items()}
    if "mask" in decoded:
      decoded = decoded | {"mask": mask_probability(decoded["mask"])}
    return terms, {**terms, **decoded, "position": position, "gestalt": code}, state

  def explain(params, state):
    run = explain_slots if hasattr(task, "passes") else explain_part
    terms, found, state = run(params, state)
    loss = sum(terms[name] for name in LOSS_TERMS if name in terms)
    return loss, ({**found, "loss": loss}, state)

  return explain


def published(found: dict, task) -> dict:
  """What was computed under the published names and axes."""
  actual = {name: found.get(name, 0.0) for name in (*REPORTED, "loss")}
  weights = [found.get(f"pass_weight_{i}", 0.0) for i in range(encoder_decoder.MOST_PASSES)]
  actual["time_weight"] = np.asarray(weights)
  for name in ("mask", "rgb", "depth"):
    if name in found:
      actual[name] = golden.nchw(found[name])
  actual["position"] = found["position"]
  if found["gestalt"] is not None:
    actual["gestalt"] = found["gestalt"]
  return actual


def shaped(actual: dict, case: dict) -> dict:
  """With the axes of length 1, and the entries that are always zero, which some stages publish."""
  outputs, result = case["outputs"], dict(actual)
  position, shape = actual.get("position"), outputs.get("position", {}).get("shape")
  if position is not None and position.shape[1] + 1 == (shape or [0, 0])[1]:
    z = np.zeros_like(position[:, :1])
    result["position"] = np.concatenate([position[:, :2], z, position[:, 2:]], axis=1)
  for name in outputs:
    if re.fullmatch(r"gestalt(_call\d+)?", name):
      shape = outputs[name]["shape"]
      result[name] = np.reshape(actual.get(name, np.zeros(shape)), shape)
  return result


def summaries(actual: dict) -> dict:
  """With mean, deviation and every 32nd pixel of every picture, which large cases store."""
  result = dict(actual)
  for name, value in actual.items():
    if np.ndim(value) == 4:
      result[f"{name}/mean"], result[f"{name}/std"] = np.mean(value), np.std(value)
      result[f"{name}/every_32nd"] = value[..., ::32, ::32]
  return result


def number_of_calls(case: dict) -> int:
  """How often the stage is run: outputs of several runs end in their numbers."""
  found = (re.search(r"_call(\d+)$", name) for name in case["outputs"])
  return 1 + max((int(match.group(1)) for match in found if match), default=0)


def compare_gradients(case: dict, gradients, table: dict) -> list[golden.Result]:
  """Gradient norms of every parameter by published name."""
  norms = elbo_training.norms_by_published_name(gradients, table)
  by_name = case.get("grad_norms_tolerance_by_name", {})
  tolerance = case.get("grad_norms_tolerance", 1e-3)
  return golden.compare_gradient_norms(
    case, norms, "gradient", case["grad_norms"], tolerance, by_name
  )


# Background


def check_background(case: dict, arrays: dict, inputs: dict) -> list[golden.Result]:
  """Outputs, logged values and gradients of the background's stage."""
  model = importer.model_config(case["config"], "background", False)
  task, weights = background_training.make_task(model), case["state_dict"]
  step = int(re.search(r"global_step = (\d+)", case["notes"]).group(1))
  pair, now = pair_of(inputs), {}
  for name in background_training.SCHEDULED:
    now[name] = (inputs[name].reshape(-1) > step).astype(jnp.float32)
  clip = {
    "video": jnp.stack([pair.source, pair.target], 1),
    "depth": jnp.stack([pair.source_depth, pair.target_depth], 1),
  }
  shapes = jax.eval_shape(task.init, elbo_training.KEY, clip)
  params = importer.import_parameters(
    weights, model, shapes[0], SOURCE, golden.parameter_dtype(case)
  )
  state = importer.import_model_state(weights, {}, model, shapes[1], SOURCE)
  training = case["mode"] == "train"

  @jax.jit
  def explain(params):
    loss, computed, _, report = task.explain(
      params, state, pair, now, elbo_training.KEY, training, False
    )
    return loss, (computed, report)

  (loss, (computed, report)), gradients = jax.value_and_grad(explain, has_aux=True)(params)
  view = computed["view"]
  actual = {
    "source_uncertainty": golden.nchw(computed["source"]),
    "target_uncertainty": golden.nchw(computed["target"]),
    "output_rgb": golden.nchw(view.rgb),
    "output_depth": golden.nchw(view.depth),
    "motion_context": view.motion,
    "depth_context": view.context,
    "loss": loss,
    **{f"log/{name}": value for name, value in report.items()},
  }
  results = golden.compare(case, arrays, actual)
  if "grad_norms" in case:
    results += compare_gradients(case, gradients, importer.table(model))
  return results


def pair_of(inputs: dict) -> Pair:
  """The frames of a case."""
  number = {name: value.reshape(-1).astype(jnp.float32) for name, value in inputs.items()}
  return Pair(
    source=inputs["source_rgb"],
    target=inputs["target_rgb"],
    source_depth=inputs["source_depth"],
    target_depth=inputs["target_depth"],
    source_mask=inputs["source_fg_mask"],
    target_mask=inputs["target_fg_mask"],
    moved=(jnp.abs(number["delta_t"]) > 0.5).astype(jnp.float32),
    has_depth=number["use_depth"],
    has_mask=number["use_fg_masks"],
    settings={
      "colour_input": number["color_input"],
      "uncertainty_regulariser": number["uncertainty_regularizer"],
      "rgb_weight": number["rgb_loss_factor"],
      "depth_weighting": number["depth_weighting"],
    },
  )


# Losses and optimiser


def check_losses(case: dict, arrays: dict, inputs: dict) -> list[golden.Result]:
  """Single losses and helpers, and the gradients of those that have some."""
  count = case["config"]["num_slots"]
  height, width = case["config"]["gaus2d_size"]
  updates = [int(n) for n in re.search(r"num_updates ([\d, ]+)", case["notes"])[1].split(", ")]

  def compute(inputs):
    actual = reconstruction_losses(inputs) | slot_losses(inputs, count)
    gestalt = [curricula.gestalt_loss(inputs["gestalt"], n) for n in updates]
    actual["gestalt_loss_at_updates"] = jnp.stack(gestalt)
    rank, maps = inputs["prioritize_priority"], golden.nchw(inputs["prioritize_input"])[..., None]
    zeros = jnp.zeros_like(rank)
    actual["prioritize"] = gaussian_position.prioritize(maps, rank, zeros)[..., 0]
    codes, place = (slots(inputs[f"drop_{name}"], count) for name in ("gestalt", "position"))
    logits, zeros = golden.nchw(inputs["drop_mask"])[..., None], jnp.zeros_like(codes)
    dropped = mask_drop.drop_similar(logits, place, codes, zeros, over_batch=True)
    actual["mask_drop"] = dropped[..., 0]
    place = inputs["embed_position"]
    actual["gaus2d"] = golden.nchw(gaussian_position.gaussian_map(place, height, width))
    waves = gaussian_position.position_embedding(place, height, width)
    return actual | {"position_embedding": golden.nchw(waves)}

  return golden.compare(case, arrays, jax.jit(compute)(inputs))


def slots(array, count: int):
  """Published [B, K c] or [B, H, W, K c] to [B, K, c] or [B, K, H, W, c]."""
  split = array.reshape(*array.shape[:-1], count, -1)
  return jnp.moveaxis(split, -2, 1)


def reconstruction_losses(inputs: dict) -> dict:
  """The losses of pictures and their gradients."""
  kinds = {
    "masked_l1_ssim": (ssim.l1_ssim, "depth"),
    "masked_ycbcr_l2_ssim": (ssim.ycbcr_l2_ssim, "rgb"),
  }
  actual = {}
  for name, (loss, kind) in kinds.items():

    def means(output, loss=loss, kind=kind):
      found = [x.mean() for x in loss(output, inputs[f"{kind}_target"], inputs["mask"])]
      return found[0], found

    gradient, found = jax.grad(means, has_aux=True)(inputs[kind])
    actual |= dict(zip((name, f"{name}/first", f"{name}/second"), found, strict=True))
    actual[f"{name}/grad"] = golden.nchw(gradient)
  unlike = ssim.dissimilarity(inputs["rgb"], inputs["rgb_target"])
  return actual | {"ssim_map": golden.nchw(unlike)}


def slot_losses(inputs: dict, count: int) -> dict:
  """What keeps slots the same; nothing in the first call, which stores the masks."""
  masks = [slots(inputs[name], count) for name in ("slot_mask", "slot_mask_second")]
  seen = jnp.maximum(*(regularisers.largest_of_masks(mask) for mask in masks))
  objects = [slots(inputs[f"object{i}"], count) for i in (1, 2)]
  places = [slots(inputs[f"position{i}"], count) for i in (1, 2)]

  def appearance(second):
    return regularisers.appearance_loss(objects[0], places[0], second, places[1], seen)

  def position(second):
    return regularisers.position_loss(second, places[0], seen)

  time_loss, time_gradient = jax.value_and_grad(appearance)(objects[1])
  place_loss, place_gradient = jax.value_and_grad(position)(places[1])
  batch, _, height, width, _ = time_gradient.shape
  time_gradient = jnp.moveaxis(time_gradient, -1, 2)
  return {
    "time_loss_first": np.zeros(1),
    "position_loss_first": np.zeros(1),
    "time_loss": time_loss,
    "time_loss/grad": time_gradient.reshape(batch, -1, height, width),
    "position_loss": place_loss,
    "position_loss/grad": place_gradient.reshape(batch, -1),
  }


def check_optimizer(case: dict, arrays: dict, inputs: dict) -> list[golden.Result]:
  """Every parameter after every step; a gradient that is not there is zero."""
  config = case["config"]
  optimizer = ranger(
    config["lr"],
    weight_decay=config["weight_decay"],
    beta1=config["betas"][0],
    beta2=config["betas"][1],
    epsilon=config["eps"],
    period=config["lookahead_k"],
    share=config["lookahead_alpha"],
  )
  parameters = {name: jnp.asarray(value) for name, value in case["state_dict"].items()}
  gradients = {name: jnp.asarray(arrays[f"inputs/grad/{name}"]) for name in parameters}
  name, absent = absent_steps(case)
  if name:
    gradients[name] = gradients[name].at[jnp.array(absent)].set(0.0)

  def step(carry, gradients):
    parameters, state = carry
    deltas, state = optimizer.update(gradients, state, parameters)
    parameters = jax.tree.map(jnp.add, parameters, deltas)
    return (parameters, state), parameters

  start = (parameters, optimizer.init(parameters))
  _, after = jax.jit(lambda start: jax.lax.scan(step, start, gradients))(start)
  actual = {f"after_step/{name}": value for name, value in after.items()}
  return golden.compare(case, arrays, actual)


def absent_steps(case: dict) -> tuple[str, list[int]]:
  """The parameter that has no gradient in some steps, and these, as the case's notes say."""
  found = re.search(r"parameter (\w+) has no gradient .*?steps \[([\d, ]+)\]", case["notes"])
  return (found.group(1), [int(n) for n in found.group(2).split(",")]) if found else ("", [])
