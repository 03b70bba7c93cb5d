"""Golden cases of Object Pursuit: networks, single trainings, measures, preprocessing.

The order of the stream and the control flow of a pursuit are checked by `pursuit_flow`.
"""

import dataclasses
import math
import re
import types
from collections.abc import Mapping
from functools import partial

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from configs.object_pursuit import _base
from objectcentric_jax.checkpoint_import import object_pursuit as importer
from objectcentric_jax.checkpoint_import.names import Target, convert, same
from objectcentric_jax.input import crops, resizing
from objectcentric_jax.losses.segmentation import balancing_weight, cross_entropy, overlap_loss
from objectcentric_jax.metrics import mask_overlap
from objectcentric_jax.models.object_pursuit.layers import (
  BACKBONE,
  backbone_table,
  head_table,
  whole_table,
)
from objectcentric_jax.models.object_pursuit.memory import (
  Memory,
  add_base,
  add_known,
  empty_memory,
  projected,
)
from objectcentric_jax.models.object_pursuit.networks import PlainUNet, deeplab, object_network
from objectcentric_jax.models.object_pursuit.object_pursuit import (
  OBJECT,
  BaseTask,
  CoefficientsTask,
  MultinetTask,
  SegmentationTask,
)
from objectcentric_jax.models.object_pursuit.unet import UNet
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.state import state_from
from objectcentric_jax.training.step import make_train_step
from tests.golden import case as golden
from tests.golden import elbo_training, pursuit_flow

SOURCE = "golden case"
KEY = jax.random.key(0)  # asked for by `apply`; dropout is off
CAPACITY = 8  # of memories, more than there are bases and objects in any case


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Compares what the case is about."""
  config = case["config"]
  if "expected" in case:
    return pursuit_flow.check_flow(case, arrays)
  case["state_dict"] = scaled(case)
  if "stage" in config:
    # In float64: the first step of RMSprop is like the sign of a gradient, so that rounding flips
    # whole elements.
    with jax.enable_x64(True):
      return check_training(case, elbo_training.in_float64(arrays))
  if "model" in config:
    return check_multinet(case, arrays) if "z_dim" in config else check_baseline(case, arrays)
  if "param_dict" in config:
    return check_hypernetwork(case, arrays)
  return check_preprocessing(case, arrays) if "resize" in config else check_measures(case, arrays)


def scaled(case: Mapping) -> dict[str, np.ndarray]:
  """The state dict; here the patterns of `scale` are regular expressions."""
  weights = dict(case["state_dict"])
  for name, weight in weights.items():
    for pattern, factor in case.get("scale", {}).items():
      if re.search(pattern, name):
        weights[name] = weight = np.asarray(weight * np.float32(factor), weight.dtype)
  return weights


# Networks


def layers_of(config: Mapping) -> tuple[dict, dict | None]:
  """The generated layers, and those with weights of their own if any."""
  head = head_table()
  if "param_dict" in config:
    table = {name: tuple(kernel) for name, kernel in config["param_dict"].items()}
    generates_backbone = any(name.startswith(BACKBONE) for name in table)
    return table, None if generates_backbone else backbone_table()
  return (head, backbone_table()) if config["use_backbone"] else (whole_table(head), None)


def make_task(kind, config: Mapping, bases: int = 1, known: int = 0, **fields):
  """A task of this kind with the layers of a case."""
  settings = dict(balanced=False, shrinkage=0.0, memory_weight=0.0, statistics="batch")
  settings |= dict(frozen_backbone=False, dropout="never", latent_size=config["z_dim"])
  settings |= dict(objects=config.get("classes", 1), bases=bases, known=known, **fields)
  table, backbone = layers_of(config)
  return kind(object_network(table, backbone, False, None, None), **settings)


def tables_of(config: Mapping, own: Mapping[str, Target]) -> tuple[dict, dict]:
  """Published name -> our parameter, and the same of running statistics."""
  table, backbone = layers_of(config)
  names, statistics = importer.network_table(backbone or {}, BACKBONE)
  return {**own, **importer.hypernetwork_table(table), **names}, statistics


def imported(weights, names, statistics, template, dtype=np.float32):
  """Parameters and running statistics from a state dict, none left over."""
  params, model_state = template
  found = {n: v for n, v in weights.items() if n in statistics}
  rest = {n: v for n, v in weights.items() if n not in statistics}
  params = convert(rest, names, params, SOURCE, importer.BATCH_COUNTERS, dtype)
  if not statistics:
    return params, {}
  like = model_state["batch_stats"]
  return params, {"batch_stats": convert(found, statistics, like, SOURCE, dtype=dtype)}


def published(tree, table: Mapping[str, Target]) -> dict[str, np.ndarray]:
  """Our arrays by published name; layouts stay ours."""
  flat = flax.traverse_util.flatten_dict(jax.device_get(tree), sep="/")
  return {name: flat[target.path] for name, target in table.items()}


def published_layout(array: np.ndarray) -> np.ndarray:
  """HWIO kernels as OIHW, [I, O] as [O, I]."""
  return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.transpose()


def norms(tree, table: Mapping[str, Target]) -> dict[str, float]:
  """Norm of each array by published name."""
  return {
    name: float(np.linalg.norm(np.asarray(array, np.float64).ravel()))
    for name, array in published(tree, table).items()
  }


def compare_norms(
  found: Mapping, expected: Mapping, tolerance: float, exceptions: Mapping, key: str, floor: float
) -> list[golden.Result]:
  """Norms by published name.

  Expected None is a parameter without gradient, and 0 one that stays below `floor`. A tolerance of
  None is for noise, which must be finite.
  """
  results = []
  for name, value in expected.items():
    limit = exceptions.get(name, tolerance)
    if value is None:
      results.append(golden.Result(f"{key}/{name}", found[name], 0.0))
    elif limit is None:
      results.append(
        golden.Result(f"{key}/{name}", 0.0 if math.isfinite(found[name]) else math.inf, 0.0)
      )
    elif value == 0.0:
      results.append(golden.Result(f"{key}/{name}", found[name], floor))
    else:
      results.append(golden.Result(f"{key}/{name}", abs(found[name] - value) / value, limit))
  return results


def compare_gradients(case, gradients, table, key="gradient") -> list[golden.Result]:
  expected = case["grad_norms"]
  used = [value for value in expected.values() if value is not None]
  exceptions = case.get("grad_tolerance_exceptions", {})
  tolerance, floor = case.get("grad_tolerance", 1e-3), 1e-5 * math.hypot(*used)
  return compare_norms(norms(gradients, table), expected, tolerance, exceptions, key, floor)


def check_hypernetwork(case: dict, arrays: dict) -> list[golden.Result]:
  """Every generated tensor, and gradients."""
  config = case["config"]
  table = {name: tuple(kernel) for name, kernel in config["param_dict"].items()}
  network = object_network(table, None, False, None, None).hypernetwork
  names = importer.hypernetwork_table(table)
  names = {name: Target(path.removeprefix("hypernetwork/"), r) for name, (path, r) in names.items()}
  z = arrays["inputs/z"]
  shapes = jax.eval_shape(network.init, KEY, z[None])["params"]
  params = convert(importer.canonical(case["state_dict"]), names, shapes, SOURCE)

  def loss(params, z):
    weights = jax.tree.map(lambda x: x[0], network.apply({"params": params}, z[None]))
    total = sum((tensor**2).mean() for tensor in jax.tree.leaves(weights))
    return total, generated(weights)

  (value, tensors), (gradients, of_latent) = jax.device_get(
    jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(params, z)
  )
  actual = {**tensors, "loss": value, "grad_z": of_latent}
  bare = {name.removeprefix("hypernet."): target for name, target in names.items()}
  given = bare if "blocks" in next(iter(case["params"])).split(".")[0] else names
  return golden.compare(case, arrays, actual) + compare_gradients(case, gradients, given)


def generated(weights: Mapping) -> dict:
  """Generated tensors by their published names, in their layout."""
  found = {}
  for name, tensors in weights.items():
    found[f"{name}.weight"] = tensors.kernel.transpose(3, 2, 0, 1)
    found[f"{name}.bn_weight"], found[f"{name}.bn_bias"] = tensors.scale, tensors.bias
  return found


def check_multinet(case: dict, arrays: dict) -> list[golden.Result]:
  """Outputs in both modes, generated tensors, gradients and running statistics."""
  config = case["config"]
  task = make_task(MultinetTask, config)
  names, statistics = tables_of(config, {"z": Target("latents", same)})
  batch = batch_of(arrays, config["ident"])
  template = jax.eval_shape(task.init, KEY, batch)
  params, state = imported(case["state_dict"], names, statistics, template)

  def loss(params):
    value, (after, _) = task.segmentation(params, state, batch, {}, KEY)
    return value, after

  differentiate = jax.value_and_grad(loss, has_aux=True)
  (value, after), gradients = jax.device_get(jax.jit(differentiate)(params))
  actual = {"loss": value, "z": params["latents"][config["ident"]], "grad_z": gradients["latents"]}
  actual |= after_training(after, statistics)
  weights = jax.jit(task.generate)(params, params["latents"][config["ident"]][None])
  weights = generated(jax.tree.map(lambda x: x[0], jax.device_get(weights)))
  actual |= {f"generated/{name}": part(tensor, 48) for name, tensor in weights.items()}
  if task.network.backbone is not None:
    actual |= backbone_outputs(task, params, state, batch["image"])
  logits = jax.jit(partial(task.logits, rng=KEY, sample=False), static_argnames="running")
  actual["logits_train"] = golden.nchw(logits(params, state, batch, running=False)[0])
  for name in case["outputs"]:
    if name.startswith("logits_eval_"):
      other = batch_of(arrays, int(name.rpartition("_")[2]))
      actual[name] = golden.nchw(logits(params, state, other, running=bool(statistics))[0])
  return golden.compare(case, arrays, actual) + compare_gradients(case, gradients, names)


def batch_of(arrays: Mapping, ident: int = 0) -> dict:
  """A batch of one object."""
  images, masks = (golden.images(arrays[f"inputs/{name}"]) for name in ("image", "mask"))
  return {"image": images, "mask": masks, OBJECT: np.full(len(images), ident, np.int32)}


def part(array, count: int):
  """Some of the values of a published array, as the cases store them."""
  flat = np.asarray(array).ravel()
  return flat[:: max(1, flat.size // count)][:count]


def after_training(state: Mapping, statistics: Mapping[str, Target]) -> dict:
  """Running statistics by the names of outputs."""
  if not statistics:
    return {}
  found = published(state["batch_stats"], statistics)
  return {f"after_{name}": array for name, array in found.items()}


def backbone_outputs(task, params, state, image) -> dict:
  """Both maps of the backbone in both modes; every 16th and 8th channel."""

  def maps(network, image):
    return network.backbone(image)

  variables = {"params": task.network_parameters(params), "batch_stats": state["batch_stats"]}
  apply = partial(task.network.apply, variables, image, method=maps)
  outputs = {"train": jax.jit(partial(apply, mutable=["batch_stats"]))()[0], "eval": apply()}
  return {
    f"{name}_{mode}": golden.nchw(array)[:, ::step]
    for mode, found in outputs.items()
    for name, array, step in zip(("feat", "low"), found, (16, 8), strict=True)
  }


def check_baseline(case: dict, arrays: dict) -> list[golden.Result]:
  """Outputs in both modes, gradients and running statistics."""
  config = case["config"]
  outputs = config["num_classes"]
  if config["model"] == "unet":
    network, (names, statistics) = PlainUNet(UNet(outputs=outputs)), importer.unet_table()
  else:
    layers = whole_table(head_table(outputs=outputs))
    network, (names, statistics) = deeplab(layers, None, None), importer.deeplab_table(layers)
  task = SegmentationTask(network, False, 0.0, 0.0, "batch", False, "never")
  batch = batch_of(arrays)
  template = jax.eval_shape(task.init, KEY, batch)
  params, state = imported(case["state_dict"], names, statistics, template)

  def loss(params):
    value, (after, _) = task.segmentation(params, state, batch, {}, KEY)
    return value, after

  differentiate = jax.value_and_grad(loss, has_aux=True)
  (value, after), gradients = jax.device_get(jax.jit(differentiate)(params))
  logits = jax.jit(partial(task.logits, rng=KEY, sample=False), static_argnames="running")

  def run(image, running):
    return golden.nchw(logits(params, state, {"image": image}, running=running)[0])

  actual = {"loss": value, **after_training(after, statistics)}
  actual["logits_train"] = run(batch["image"], False)
  actual["logits_eval"] = run(batch["image"], True)
  if "inputs/image_large" in arrays:
    large = run(golden.images(arrays["inputs/image_large"]), True)
    actual["logits_eval_large"] = large[..., ::4, ::4]
  return golden.compare(case, arrays, actual) + compare_gradients(case, gradients, names)


# Single trainings


def check_training(case: dict, arrays: dict) -> list[golden.Result]:
  """The recorded steps of one of the trainings, through the real train step."""
  if "classes" in case["config"]:
    return check_joint(case, arrays)
  if "bases" in case["config"]:
    return check_coefficients(case, arrays)
  return check_new_base(case, arrays)


def updates_of(config: Mapping, task, learned, memory=False):
  """The published optimiser on what is learned."""
  settings = config["optimizer"]
  (update,) = _base.update(learned, settings["lr"], config.get("clip_value", 0.0), memory)
  constants = dict(decay=settings["alpha"], epsilon=settings["eps"])
  constants |= {name: settings[name] for name in ("momentum", "weight_decay")}
  groups = {
    pattern: group | constants if group["name"] == "rmsprop" else group
    for pattern, group in update["groups"].items()
  }
  return make_updates([{**update, "groups": groups}], list(task.losses))


class Training:
  """A training of a case: its state after each step, what it reports, its gradients before."""

  def __init__(self, task, updates, params, model_state):
    fixed = types.SimpleNamespace(losses=task.losses)
    self.task, self.updates = task, updates
    self.state = state_from(params, model_state, updates, KEY)
    self._step = jax.jit(make_train_step(fixed, updates, {}))
    self._gradients = jax.jit(self._differentiate)

  def _differentiate(self, params, model_state, batch):
    gradients, _ = jax.grad(self.task.segmentation, has_aux=True)(
      params, model_state, batch, {}, KEY
    )
    return self.updates[0].applied(gradients)

  def gradients(self, batch):
    return jax.device_get(self._gradients(self.state.params, self.state.model_state, batch))

  def step(self, batch) -> dict:
    self.state, report = self._step(self.state, batch)
    return jax.device_get(report)


def start(case, kind, own: Mapping, memory: Memory | None, **fields):
  """Task, tables, parameters (those in `own` as given) and state of a training, in float64."""
  config = case["config"]
  task = make_task(kind, config, **fields)
  names, statistics = tables_of(config, {})
  batch = {"image": np.zeros((2, 64, 64, 3)), "mask": np.zeros((2, 64, 64, 1))}
  params, state = jax.eval_shape(task.init, KEY, batch)
  networks = {name: tree for name, tree in params.items() if name not in own}
  found = imported(case["state_dict"], names, statistics, (networks, state), np.float64)
  params, state = {**found[0], **own}, found[1] | ({} if memory is None else {"memory": memory})
  return task, names, statistics, params, state


def logits_of(task, params, state, batch, running=False):
  logits = jax.jit(partial(task.logits, rng=KEY, sample=False, running=running))
  return golden.nchw(logits(params, state, batch)[0])


def check_joint(case: dict, arrays: dict) -> list[golden.Result]:
  """Joint pretraining: steps of one object each, clipped, that move the whole table."""
  config = case["config"]
  task = make_task(MultinetTask, config)
  names, statistics = tables_of(config, {"z": Target("latents", same)})
  idents = config["idents"]
  batches = [
    batch_of({name: array[i] for name, array in arrays.items() if name in INPUTS}, ident)
    for i, ident in enumerate(idents)
  ]
  template = jax.eval_shape(task.init, KEY, batches[0])
  params, state = imported(case["state_dict"], names, statistics, template, np.float64)
  learned = ("latents", "hypernetwork", "backbone")
  training = Training(task, updates_of(config, task, learned), params, state)
  gradients = training.gradients(batches[0])
  actual = {"logits_0": logits_of(task, params, state, batches[0])}
  for i, batch in enumerate(batches):
    actual[f"loss_{i}"] = training.step(batch)["loss"]
    actual[f"z_{i + 1}"] = training.state.params["latents"]
  limit = config["clip_value"]
  clipped = jax.tree.map(lambda g: np.clip(g, -limit, limit), gradients)
  exceptions = case.get("grad_tolerance_exceptions", {})
  results = compare_gradients(case, gradients, names)
  results += compare_norms(
    *(norms(clipped, names), case["clipped_grad_norms"], case.get("grad_tolerance", 1e-3)),
    *(exceptions, "clipped", 0.0),
  )
  return results + compare_updates(case, arrays, actual, training, params, names)


INPUTS = ("inputs/image", "inputs/mask")


def compare_updates(case, arrays, actual, training, params, names) -> list[golden.Result]:
  """Outputs, with parts of updated parameters, and how far each parameter has moved."""
  after = published(training.state.params, names)
  actual |= {f"updated/{n}": part(published_layout(array), 64) for n, array in after.items()}
  results = golden.compare(case, arrays, actual)
  moved = jax.tree.map(np.subtract, jax.device_get(training.state.params), params)
  exceptions = case.get("update_tolerance_exceptions", {})
  tolerance = case.get("update_tolerance", 1e-3)
  expected = {name: value or 0.0 for name, value in case["update_norms"].items()}
  return results + compare_norms(
    norms(moved, names), expected, tolerance, exceptions, "update", 0.0
  )


def check_coefficients(case: dict, arrays: dict) -> list[golden.Result]:
  """A fit over bases, in the pursuit or one-shot: only the coefficients move."""
  config, bases = case["config"], arrays["inputs/bases"]
  memory = empty_memory(CAPACITY, config["z_dim"])
  for base in bases:
    memory = add_base(memory, base)
  pursuit = "l1_coeff" in config
  own = {"coefficients": jnp.where(jnp.arange(CAPACITY) < len(bases), len(bases) ** -0.5, 0.0)}
  task, names, statistics, params, state = start(
    *(case, CoefficientsTask, own, memory),
    **dict(bases=CAPACITY, balanced=pursuit, shrinkage=config.get("l1_coeff", 0.0)),
  )
  names = {**names, "coeffs": Target("coefficients", same)}
  batch = batch_of(arrays)
  training = Training(task, updates_of(config, task, ("coefficients",)), params, state)
  actual = {"logits": logits_of(task, params, state, batch)}
  actual["z"] = task.latent(params, state, batch)
  actual["pos_weight"] = balancing_weight(batch["mask"])
  limit, count, results = config.get("clip_value", np.inf), len(bases), []
  for step in range(sum(name.startswith("coeffs_") for name in case["outputs"])):
    gradients = training.gradients(batch)
    if step == 0:
      expected = {"coeffs": None} | case["grad_norms"]
      found = norms(gradients, names)
      if expected["coeffs"] is None:
        del expected["coeffs"]
      results += compare_norms(
        *(found, expected, case.get("grad_tolerance", 1e-3)),
        *(case.get("grad_tolerance_exceptions", {}), "gradient", 0.0),
      )
    actual[f"grad_coeffs_{step}"] = gradients["coefficients"][:count]
    actual[f"clipped_{step}"] = np.clip(gradients["coefficients"][:count], -limit, limit)
    report = training.step(batch)
    actual[f"loss_{step}"] = report["loss"]
    if step == 0:
      actual |= {"seg_loss": report["segmentation_error"], "l1_loss": report["shrinkage"]}
    actual[f"coeffs_{step + 1}"] = training.state.params["coefficients"][:count]
  actual |= after_training(jax.device_get(training.state.model_state), statistics)
  actual["logits_backbone_eval"] = logits_of(
    task, training.state.params, training.state.model_state, batch, running=True
  )
  return golden.compare(case, arrays, actual) + results + unmoved(training, params)


def unmoved(training: Training, params) -> list[golden.Result]:
  """Networks must be bit-identical to what they were."""
  results = []
  for name in ("hypernetwork", "backbone"):
    if name in params:
      after = jax.device_get(training.state.params[name])
      moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), after, params[name])
      results.append(golden.Result(f"moved {name}", float(max(jax.tree.leaves(moved))), 0.0))
  return results


def check_new_base(case: dict, arrays: dict) -> list[golden.Result]:
  """A new latent with the hypernetwork, held to what it generated for the stored objects."""
  config, stored = case["config"], case["config"]["stored_objects"]
  capacity = CAPACITY if stored else 0
  fields = dict(bases=1, known=capacity, balanced=True, shrinkage=config["l1_coeff"])
  fields |= dict(memory_weight=config["memory_coeff"])
  own = {"latent": arrays["outputs/z_0"]}
  task, names, _, params, state = start(case, BaseTask, own, None, **fields)
  memory = stored_memory(case, task, params, arrays, capacity)
  state |= {"memory": memory}
  trainable = [n for n, v in case["grad_norms"].items() if v is not None]
  learned = ["latent", "hypernetwork"]
  learned += ["backbone"] * any(name.startswith(BACKBONE) for name in trainable)
  updates = updates_of(config, task, learned, memory=stored > 0)
  training, batch = Training(task, updates, params, state), batch_of(arrays)
  actual = {"z_0": params["latent"], "logits": logits_of(task, params, state, batch)}
  results, reports = [], []
  names_with_latent = {**names, "z": Target("latent", same)}
  for step in range(config["steps"]):
    gradients = training.gradients(batch)
    actual[f"grad_z_{step}"] = gradients["latent"]
    if step == 0:
      results += compare_gradients(case, gradients, names_with_latent)
    reports.append(training.step(batch))
    actual[f"loss_{step}"] = reports[step]["segmentation_error"] + reports[step]["shrinkage"]
    actual[f"z_{step + 1}"] = training.state.params["latent"]
  actual |= {"seg_loss": reports[0]["segmentation_error"], "l1_loss": reports[0]["shrinkage"]}
  actual["memory_loss"] = reports[0].get("memory", 0.0)
  results += without_memory(case, task, updates, params, state, batch, names_with_latent)
  return results + compare_updates(case, arrays, actual, training, params, names)


def without_memory(case, task, updates, params, state, batch, names) -> list[golden.Result]:
  """Gradients of the other terms alone."""
  alone = dataclasses.replace(task, memory_weight=0.0)
  gradients = Training(alone, updates, params, state).gradients(batch)
  expected = case["seg_grad_norms"]
  return compare_norms(
    *(norms(gradients, names), expected, case.get("grad_tolerance", 1e-3)),
    *(case.get("grad_tolerance_exceptions", {}), "gradient without memory", 0.0),
  )


def stored_memory(case, task, params, arrays, capacity: int) -> Memory:
  """A memory whose objects were generated by the hypernetwork with scaled parameters."""
  if not capacity:
    return empty_memory(1, task.latent_size)
  factor = case["config"]["stored_weights_factor"]
  earlier = {**params, "hypernetwork": jax.tree.map(lambda x: x * factor, params["hypernetwork"])}
  latents = arrays["inputs/memory_z"]
  weights = jax.jit(task.generate)(earlier, latents)
  memory = empty_memory(1, task.latent_size, capacity, jax.tree.map(lambda x: x[0], weights))
  for i, latent in enumerate(latents):
    memory = add_known(memory, latent, jax.tree.map(lambda x: x[i], weights))  # noqa: B023
  return memory


# Measures and preprocessing


def check_measures(case: dict, arrays: dict) -> list[golden.Result]:
  """Losses with their gradients, and scores."""
  config = case["config"]
  mask, soft, predicted, shifted, logits = (
    jnp.asarray(golden.images(arrays[f"inputs/{name}"]))
    for name in ("mask", "soft_mask", "pred", "shifted_mask", "logits")
  )
  empty = jnp.zeros_like(mask)
  coefficient, tolerance = config["iou_coeff"], config["boundary_threshold"]
  probability = jax.nn.sigmoid(logits)
  per_image = mask_overlap.dice(predicted, soft)

  def overlap(probability):
    return coefficient * overlap_loss(probability, soft).mean()

  def balanced(logits):
    return cross_entropy(logits, soft, balancing_weight(soft)).mean()

  coefficients, projection, distance = projected(arrays["inputs/bases"], arrays["inputs/target"])
  every = tuple(range(4))
  actual = {
    "dice_hard": mask_overlap.dice(predicted, mask).mean().reshape(1),
    "dice_soft_target": per_image.mean().reshape(1),
    "dice_per_image": per_image,
    "dice_empty": mask_overlap.dice(empty, empty).mean().reshape(1),
    "iou_loss": overlap(probability).reshape(1),
    "iou_loss_grad": golden.nchw(jax.grad(overlap)(probability)),
    "jaccard_batch": mask_overlap.jaccard(predicted, soft, every),
    "jaccard_per_image": mask_overlap.jaccard(predicted, mask),
    "jaccard_empty": mask_overlap.jaccard(empty, empty, every),
    "boundary_map": mask_overlap.boundary(mask[..., 0]),
    "f_boundary_shift": mask_overlap.boundary_f(shifted, mask, tolerance),
    "f_boundary_noise": mask_overlap.boundary_f(predicted, mask, tolerance),
    "pos_weight_hard": balancing_weight(mask),
    "pos_weight_soft": balancing_weight(soft),
    "pos_weight_empty": balancing_weight(empty),
    "bce_pos_weight": balanced(logits),
    "bce_pos_weight_grad": golden.nchw(jax.grad(balanced)(logits)),
    "bce_plain": cross_entropy(logits, soft).mean(),
    "least_square_projection": projection,
    "least_square_coeffs": coefficients,
    "least_square_distance": distance,
  }
  return golden.compare(case, arrays, actual)


def check_preprocessing(case: dict, arrays: dict) -> list[golden.Result]:
  """Crop, resize and conversion of a view and its mask."""
  config = case["config"]
  width, height = config["resize"]
  image, grey, index, colours, dark = (
    arrays[f"inputs/{name}_uint8"]
    for name in ("image", "mask", "mask_index", "mask_rgb", "dark_image")
  )
  grey, index, colours = grey[..., None], index[..., None], colours[..., :1]

  def cropped(picture):
    size = picture.shape[:2]
    top, left = (config["crop_offset"], 0) if size[0] > size[1] else (0, config["crop_offset"])
    side = min(size)
    return crops.cut({"image": picture}, top, left, side, side)["image"]

  def resized(picture, method="pillow_bicubic"):
    return resizing.resize(picture, height, width, method)

  def shares(picture):
    highest = 255.0 if picture.max() > 1 else 1.0
    return np.moveaxis(picture.astype(np.float32) / np.float32(highest), -1, 0)

  actual = {
    "image_resized": shares(resized(image)),
    "mask_resized": shares(resized(grey)),
    "image_cropped": shares(resized(cropped(image))),
    "mask_cropped": shares(resized(cropped(grey))),
    "image_plain": shares(image),
    "mask_plain": shares(grey),
    "mask_palette_resized": shares(resized(cropped(index), "pillow_nearest")),
    "mask_rgb_resized": shares(resized(colours)),
    "dark_image": shares(dark),
  }
  return golden.compare(case, arrays, actual)
