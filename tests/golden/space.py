"""Golden cases of SPACE: networks from their own state dicts, schedules, detection scores."""

import importlib
import types
from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.checkpoint_import import space as importer
from objectcentric_jax.metrics.average_precision import (
  average_precision,
  corners,
  detection_scores,
  detections,
  match,
)
from objectcentric_jax.models.space.space import (
  Posterior,
  SpaceTask,
  boundary_error,
  image_boxes,
  make_task,
  scene_of,
)
from objectcentric_jax.plots.boxes import draw_boxes
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import state_from
from objectcentric_jax.training.step import make_train_step
from tests.golden import case as golden
from tests.golden import elbo_training

CONFIGS = {
  "default": "_base",
  "3d_room_large": "obj3d_large",
  "3d_room_small": "obj3d_small",
  "atari_joint": "atari_joint",
  "atari_riverraid": "atari_riverraid",
  "atari_spaceinvaders": "atari_space_invaders",
}
SCHEDULES = {
  "z_pres_prior": "presence_prior",
  "z_scale_mean_prior": "scale_prior_mean",
  "tau": "presence_temperature",
  "alpha_fixed": "fixed_alpha",
  "boundary_loss_on": "boundary_weight",
}
SOURCE = "golden case"


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Compares what the case is about: schedules, detection scores, or a network."""
  if "arch" in case["config"]:
    # In float64: bilinear sampling has kinks, and the importance of objects multiplies rounding.
    with jax.enable_x64(True):
      return check_network(case, elbo_training.in_float64(arrays))
  if "inputs/global_step" in arrays:
    return check_schedules(case, arrays)
  return check_detection(case, arrays)


# Networks


def check_network(case: dict, arrays: dict) -> list[golden.Result]:
  """Outputs, gradients of every parameter and term, running statistics, optimiser steps."""
  arch, step = case["config"]["arch"], case["config"]["global_step"]
  model = importer.model_config(arch)
  task, image = make_task(model), golden.images(arrays["inputs/image"])
  shapes = jax.eval_shape(task.init, elbo_training.KEY, {"image": image})
  weights = case["state_dict"]
  # Rounded to float32, as checkpoints hold them: at the kinks it decides between two pixels.
  params, state = elbo_training.in_float64(
    (
      importer.import_parameters(weights, model, shapes[0], SOURCE),
      importer.import_model_state(weights, {}, model, shapes[1], SOURCE),
    )
  )
  schedules = make_schedules(importer.schedules(arch))
  now = {name: schedule(jnp.asarray(step)) for name, schedule in schedules.items()}
  training = case["mode"] == "train"

  def explain(params):
    if training:
      posterior, after = task.training_posterior(
        params, state, image, now, elbo_training.KEY, sample=False
      )
    else:
      posterior = task.posterior(params, state, image, elbo_training.KEY, sample=False)
      after = state
    return published_terms(task, posterior, image, now), (posterior, after["batch_stats"])

  if "grad_norms" in case:
    terms, (posterior, statistics), results = differentiated(case, model, params, explain)
  else:
    terms, (posterior, statistics) = jax.device_get(jax.jit(explain)(params))
    results = []
  actual = outputs(task, posterior, terms, image, now)
  results = golden.compare(case, arrays, actual) + results
  results += elbo_training.compare_statistics(case, importer, model, statistics)
  if "optimizer_steps" in case:
    results += check_steps(case, task, model, params, state, image, schedules)
  return results


def published_terms(task: SpaceTask, posterior: Posterior, image, now: Mapping) -> dict:
  """The terms of the objective per image under the published names."""
  terms = task.objective_terms(posterior, image, now)
  where = terms["kl_scale"] + terms["kl_shift"]
  objects = where + terms["kl_presence"] + terms["kl_depth"] + terms["kl_what"]
  return {
    "log_like": -terms["reconstruction"],
    "kl_bg": terms["kl_background"],
    "kl_fg": objects,
    "boundary_loss": now["boundary_weight"] * boundary_error(posterior.foreground),
    "kl_z_what": terms["kl_what"],
    "kl_z_where": where,
    "kl_z_scale": terms["kl_scale"],
    "kl_z_shift": terms["kl_shift"],
    "kl_z_pres": terms["kl_presence"],
    "kl_z_depth": terms["kl_depth"],
  }


SIGNS = {"log_like": -1.0, "kl_bg": 1.0, "kl_fg": 1.0, "boundary_loss": 1.0}  # in the loss


def differentiated(case: dict, model: dict, params, explain):
  """Terms and posterior of `explain`, and the comparison of gradient norms.

  The gradient of the loss is the sum of those of its terms.
  """
  table = importer.table(model)
  ignored = {name: 0.0 for name in case["params"] if importer.is_ignored(name, model)}

  @jax.jit
  def differentiate(params, weights):
    def weighted(params):
      terms, rest = explain(params)
      return sum(weights[name] * terms[name].mean() for name in SIGNS), (terms, rest)

    return jax.grad(weighted, has_aux=True)(params)

  results, whole = [], None

  def compare(key, gradients, expected, tolerance, by_name):
    norms = ignored | elbo_training.norms_by_published_name(gradients, table)
    return golden.compare_gradient_norms(case, norms, key, expected, tolerance, by_name)

  for term, sign in SIGNS.items():
    alone = {name: sign * (name == term) for name in SIGNS}
    gradients, explained = jax.device_get(differentiate(params, alone))
    whole = gradients if whole is None else jax.tree.map(np.add, whole, gradients)
    if term in case.get("grad_norms_terms", {}):
      tolerance = case["grad_norms_terms_tolerance"][term]
      by_name = case.get("grad_norms_terms_tolerance_by_name", {}).get(term, {})
      expected = case["grad_norms_terms"][term]
      results += compare(f"gradient {term}", gradients, expected, tolerance, by_name)
  by_name = case.get("grad_norms_tolerance_by_name", {})
  tolerance = case.get("grad_norms_tolerance", 1e-3)
  results += compare("gradient", whole, case["grad_norms"], tolerance, by_name)
  if "grad_norm_total" in case:
    leaves = jax.tree.leaves(whole)
    total = np.sqrt(sum((leaf**2).sum() for leaf in leaves))
    error = golden.relative_error(total, case["grad_norm_total"])
    results.append(golden.Result("gradient norm", error, tolerance))
  return *explained, results


def outputs(task: SpaceTask, posterior: Posterior, terms: dict, image, now: Mapping) -> dict:
  """What the published model logs, in its layout."""
  foreground, background = posterior.foreground, posterior.background
  scene = scene_of(posterior)
  of_objects, of_background = task.log_likelihoods(posterior, image)
  boxed = draw_boxes(foreground.image, scene.boxes, foreground.presence[..., 0])

  def flat(cells):  # [B, N, g, g, C] to [B N, C, g, g]
    return golden.nchw(cells.reshape(-1, *cells.shape[2:]))

  def stack(slots):  # [B, K, H, W, C] to [B, K, C, H, W]
    return np.moveaxis(slots, -1, 2)

  return {
    **terms,
    "loss": sum(sign * terms[name] for name, sign in SIGNS.items()).mean(),
    "mse": ((posterior.image - image) ** 2).sum((1, 2, 3)),
    "prior_z_pres_prob": np.reshape(now["presence_prior"], 1),
    "fg_likelihood_sum": of_objects.sum((1, 2, 3)),
    "bg_likelihood_sum": of_background.sum((1, 2, 3)),
    "img_enc_fg": golden.nchw(foreground.features),
    "z_pres": foreground.presence,
    "z_pres_prob": foreground.probability,
    "z_depth": foreground.depth.value,
    "z_depth_std": foreground.depth.deviation,
    "z_scale_mean": foreground.scale.mean,
    "z_scale_std": foreground.scale.deviation,
    "z_shift_mean": foreground.shift.mean,
    "z_shift_std": foreground.shift.deviation,
    "z_where": foreground.boxes,
    "z_what": foreground.what.value,
    "z_what_std": foreground.what.deviation,
    "x_att": flat(foreground.glimpses),
    "o_att": flat(foreground.colours),
    "alpha_att": flat(foreground.alphas),
    "alpha_att_hat": flat(foreground.visible_alphas),
    "importance_map_full_res_norm": stack(foreground.weights),
    "fg": golden.nchw(foreground.image),
    "alpha_map": golden.nchw(foreground.alpha),
    "boundary_map": golden.nchw(foreground.boundary),
    "fg_box": golden.nchw(boxed),
    "x_enc_bg": background.features,
    "z_mask_loc": background.mask_latents.mean,
    "z_mask_scale": background.mask_latents.deviation,
    "z_comp_loc": background.component_latents.mean,
    "z_comp_scale": background.component_latents.deviation,
    "masks": stack(background.masks),
    "comps": stack(background.components),
    "bg": golden.nchw(background.image),
    "y": golden.nchw(posterior.image),
  }


def check_steps(
  case: dict, task: SpaceTask, model: dict, params, model_state, image, schedules
) -> list[golden.Result]:
  """The recorded steps of both optimisers, through the real train step."""
  solver = case["config"]["solver"]
  groups = {
    f"^{part}/": {"name": solver[short]["optim"].lower(), "rate": solver[short]["lr"]}
    for part, short in (("foreground", "fg"), ("background", "bg"))
  }
  update = {"loss": "elbo", "clip": solver["clip_norm"], "groups": groups}
  deterministic = types.SimpleNamespace(losses={"elbo": partial(task.elbo, sample=False)})
  updates = make_updates([update], list(deterministic.losses))
  step = jax.jit(make_train_step(deterministic, updates, schedules))
  first = case["optimizer_steps"][0]["global_step"]
  state = state_from(params, model_state, updates, elbo_training.KEY, first)
  table, results = importer.table(model), []
  ignored = {name: 0.0 for name in case["params"] if importer.is_ignored(name, model)}
  expectations = zip(case["optimizer_steps"], case["optimizer_steps_tolerance"], strict=True)
  for i, (expected, tolerance) in enumerate(expectations):
    state = state.replace(step=jnp.asarray(expected["global_step"], jnp.int32))
    state, report = step(state, {"image": image})
    found = {"loss": report["loss"], "grad_norm_total": report["gradient_norm"]}
    for name, value in found.items():
      error = golden.relative_error(value, np.asarray(expected[name]))
      results.append(golden.Result(f"step {i} {name}", error, tolerance[name]))
    moved = jax.tree.map(np.subtract, jax.device_get(state.params), params)
    norms = ignored | elbo_training.norms_by_published_name(moved, table)
    for name, value in expected["update_norms"].items():
      if value is not None:
        error = golden.relative_error(norms[name], np.asarray(value))
        results.append(golden.Result(f"step {i} {name}", error, tolerance["update_norms"]))
  return results


# Schedules and scores


def check_schedules(case: dict, arrays: dict) -> list[golden.Result]:
  """The schedules of the published configs, from the files of these configs."""
  results = []
  for name, about in case["outputs"].items():
    config, quantity = name.split("/")
    module = importlib.import_module(f"configs.space.{CONFIGS[config]}")
    published = module.get_config().train.schedules.to_dict()
    schedule = make_schedules(published)[SCHEDULES[quantity]]
    found = [float(schedule(jnp.asarray(step))) for step in arrays["inputs/global_step"]]
    error = golden.relative_error(found, arrays[f"outputs/{name}"])
    results.append(golden.Result(name, error, about["tolerance"]))
  return results


def check_detection(case: dict, arrays: dict) -> list[golden.Result]:
  """Average precision and counting, from boxes as the network gives them."""
  thresholds = tuple(case["config"]["iou_thresholds"])
  x, y, width, height = np.moveaxis(arrays["inputs/gt_boxes"] / case["config"]["image_size"], -1, 0)
  edges = (y - height / 2, x - width / 2, y + height / 2, x + width / 2)
  batch = {"bboxes": np.stack(edges, -1), "num_objects": arrays["inputs/gt_count"]}
  presence = arrays["inputs/z_pres_prob"]
  boxes = image_boxes(jnp.asarray(arrays["inputs/z_where"]))
  scene = Scene(image=None, boxes=boxes, presence=presence)

  observe = jax.jit(detections, static_argnums=2)

  def scores(count=None, objects=batch["num_objects"]):
    """As the evaluator has them: observed on the device, summarised on the host."""
    first = lambda tree: jax.tree.map(lambda x: x[:count], tree)  # noqa: E731
    seen = observe(first(scene), first(batch | {"num_objects": objects}), thresholds)
    return detection_scores(jax.device_get(seen), thresholds)

  whole, half = scores(), scores(len(presence) // 2)
  without = batch["num_objects"].copy()
  without[0] = 0
  predicted, count = detected_boxes(boxes, presence, arrays["outputs/pred_boxes"].shape[1])
  actual = {
    "pred_boxes": predicted,
    "pred_count": count,
    "ap": precisions(whole, thresholds),
    "ap_avg": whole["ap"],
    "error_rate": whole["count_error"],
    "perfect": whole["perfect"],
    "overcount": whole["overcount"],
    "undercount": whole["undercount"],
    "accuracy": whole["count_accuracy"],
    "ap_first_image_without_objects": precisions(scores(objects=without), thresholds),
    "ap_first_half": precisions(half, thresholds),
    "error_rate_first_half": half["count_error"],
  }
  results = golden.compare(case, arrays, actual)
  for name in ("exact_threshold", "duplicate_detection"):
    if name in case:
      results.append(golden.Result(name, small_example_error(case[name]), 1e-6))
  return results


def precisions(scores: Mapping[str, float], thresholds) -> list[float]:
  """Average precision at each threshold."""
  return [scores[f"ap_{round(100 * threshold)}"] for threshold in thresholds]


def detected_boxes(boxes, presence, most: int) -> tuple[np.ndarray, np.ndarray]:
  """Published layout of the detections, [B, most, 5], and how many there are, [B]."""
  edges = np.asarray(corners(boxes))[..., [0, 2, 1, 3]]
  rows = np.concatenate([edges, presence[..., None]], axis=-1)
  found = presence > 0.5
  listed = np.zeros((len(rows), most, 5))
  for image, (row, kept) in enumerate(zip(rows, found, strict=True)):
    listed[image, : kept.sum()] = row[kept]
  return listed, found.sum(1)


def small_example_error(example: Mapping) -> float:
  """Of the average precision of one image, given as published boxes."""
  predicted, truth = (np.asarray(example[name], np.float32)[None] for name in ("pred", "gt"))
  arrange = [0, 2, 1, 3]
  confidence = predicted[..., 4]
  objects = np.asarray([truth.shape[1]])
  found = match(
    predicted[..., arrange],
    confidence,
    np.ones(confidence.shape, bool),
    truth[..., arrange],
    objects,
    tuple(example["iou_thresholds"]),
  )
  return golden.relative_error(average_precision(found), example["ap"])
