"""What the cases of all models trained on an ELBO share: forward pass, gradients, steps."""

import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flax.traverse_util
import jax
import numpy as np

from objectcentric_jax.models.elbo_task import total
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import state_from
from objectcentric_jax.training.step import make_train_step
from tests.golden import case as golden

TERM_NAMES = {"err": "reconstruction", "kl_m": "kl_mask", "kl_l": "kl_latent"}
KEY = jax.random.key(0)  # asked for by `apply`; every draw is given or stands at its mean
# Where the published training script differs from PyTorch's defaults.
PUBLISHED_CONSTANTS = {"sgd": {"momentum": 0.9}}


def mean_terms(terms: Mapping, beta: float) -> dict:
  """Batch means under the published names; `terms` as from a task, per image (and component)."""
  names = TERM_NAMES.items()
  mean = {short: total(terms[name]).mean() if name in terms else 0.0 for short, name in names}
  divergence = mean["kl_m"] + mean["kl_l"]
  return {
    "err_mean": mean["err"],
    "kl_m_mean": mean["kl_m"],
    "kl_l_mean": mean["kl_l"],
    "elbo": mean["err"] + divergence,
    "loss": mean["err"] + beta * divergence,
  }


def published_flags(case: Mapping) -> dict:
  """The flags of the published code that a case was computed with."""
  training = case.get("train_steps_config", {})
  flags = {**case["config"], "geco": training.get("geco", "train_steps" in case)}
  return flags | {name: value for name, value in training.items() if name.startswith("g_")}


def slots_drawn(arrays: Mapping, names: Mapping[str, str]) -> dict:
  """Recorded noise of latents, if any: published array name -> ours, [K, B, D] to [B, K, D]."""
  present = {ours: arrays[name] for name, ours in names.items() if name in arrays}
  return {ours: np.moveaxis(array, 0, 1) for ours, array in present.items()}


def check(
  case: Mapping,
  arrays: Mapping,
  importer: Any,
  make_task: Callable,
  model: Mapping,
  draws: Mapping,
  outputs: Callable[[Any, Mapping], Mapping],
  samples: Callable[[Any], tuple[Callable, Mapping]] | None,
) -> list[golden.Result]:
  """Forward pass, samples, gradients of every parameter, running statistics, optimiser steps.

  Args:
    case, arrays: as loaded.
    importer: module of `objectcentric_jax.checkpoint_import`.
    make_task: of the model.
    model: `config.model`.
    draws: recorded posterior noise under our names.
    outputs: (posterior, terms per image) -> published outputs; means of terms are added here.
    samples: (task's network) -> function of variables that draws scenes, and how the result is
      published; None when the case has no samples.
  """
  task, table = make_task(model), importer.table(model)
  image = golden.images(arrays["inputs/image"])
  shapes = jax.eval_shape(task.init, KEY, {"image": image})
  source, dtype, weights = "golden case", golden.parameter_dtype(case), case["state_dict"]
  params = importer.import_parameters(weights, model, shapes[0], source, dtype)
  model_state = importer.import_model_state(weights, {}, model, shapes[1], source, dtype)
  training = case.get("mode", "train") == "train"
  explain_mode = task.training_posterior if training else evaluation_posterior(task)

  def explain(params):
    posterior, after = explain_mode(params, model_state, image, KEY, draws)
    return task.objective_terms(posterior, image), (posterior, after.get("batch_stats", {}))

  terms, (posterior, statistics), results = run(case, table, params, explain)
  actual = {**mean_terms(terms, case["config"]["beta"]), **outputs(posterior, terms)}
  actual["mse"] = ((posterior.image - image) ** 2).mean()
  if samples is not None and any(name.startswith("sample") for name in case["outputs"]):
    draw, publish = samples(task.network)
    drawn = jax.jit(draw)(task.variables(params, model_state))
    actual |= publish(jax.device_get(drawn))
  results = golden.compare(case, arrays, actual) + results
  results += compare_statistics(case, importer, model, statistics)
  return results + check_steps(case, task, params, model_state, image, draws)


def evaluation_posterior(task):
  """`task.posterior`, with the model state as `task.training_posterior` returns it."""

  def explain(params, model_state, image, rng, draws):
    return task.posterior(params, model_state, image, rng, draws), {}

  return explain


def scene_outputs(generated) -> dict:
  """Generated scenes under the published names."""
  return {
    "sample": golden.nchw(generated.image),
    "sample_log_m_k": golden.slot_images(generated.log_masks),
    "sample_x_k": golden.slot_images(generated.components),
  }


def compare_statistics(case: Mapping, importer, model: Mapping, found) -> list[golden.Result]:
  """Norms of running statistics after one training pass, where the case has them."""
  if "batch_norm_after" not in case:
    return []
  flat = flax.traverse_util.flatten_dict(found, sep="/")
  norms = {
    name: np.linalg.norm(np.asarray(flat[target.path], np.float64))
    for name, target in importer.statistics_table(model).items()
  }
  tolerance = case.get("batch_norm_after_tolerance", 1e-5)
  return [
    golden.Result(f"after/{name}", golden.relative_error(norms[name], value), tolerance)
    for name, value in case["batch_norm_after"].items()
  ]


def norms_by_published_name(gradients, table: Mapping) -> dict[str, float]:
  """Gradient norm of every published parameter."""
  flat = flax.traverse_util.flatten_dict(jax.device_get(gradients), sep="/")
  return {
    name: float(np.linalg.norm(np.asarray(flat[target.path], np.float64).ravel()))
    for name, target in table.items()
  }


def run(
  case: Mapping, table: Mapping, params: Any, explain: Callable[[Any], tuple[Mapping, Any]]
) -> tuple[Mapping, Any, list[golden.Result]]:
  """Terms per image, what else `explain(params)` gives, and the comparison of gradient norms.

  The norms are of the gradient of the loss and of each term alone, for every parameter. One
  compiled function serves all: the weights of the terms are its arguments.
  """
  if "grad_norms" not in case:
    return *jax.device_get(jax.jit(explain)(params)), []
  beta = case["config"]["beta"]

  @jax.jit
  def differentiate(params, weights):
    def weighted(params):
      terms, rest = explain(params)
      mean = mean_terms(terms, beta)
      return sum(weights[short] * mean[f"{short}_mean"] for short in TERM_NAMES), (terms, rest)

    return jax.grad(weighted, has_aux=True)(params)

  def check(key, weights, expected, tolerance, by_name):
    gradients, explained = differentiate(params, weights)
    norms = norms_by_published_name(gradients, table)
    return explained, golden.compare_gradient_norms(case, norms, key, expected, tolerance, by_name)

  explained, results = check(
    "gradient",
    {"err": 1.0, "kl_m": beta, "kl_l": beta},
    case["grad_norms"],
    case.get("grad_norms_tolerance", 1e-3),
    case.get("grad_norms_tolerance_by_name", {}),
  )
  for term, expected in case.get("grad_norms_terms", {}).items():
    alone = {short: float(short == term) for short in TERM_NAMES}
    tolerance = case.get("grad_norms_terms_tolerance", {}).get(term, 1e-3)
    by_name = case.get("grad_norms_terms_tolerance_by_name", {}).get(term, {})
    results += check(f"gradient {term}", alone, expected, tolerance, by_name)[1]
  return *jax.device_get(explained), results


def check_steps(case: Mapping, task, params, model_state, image, draws) -> list[golden.Result]:
  """The recorded optimiser steps, through the real train step, with the recorded draws.

  In float64: an optimiser turns the rounding noise of gradients that cancel (such as those of
  biases before a batch norm) into full steps, so that float32 runs part from each other.
  """
  if "train_steps" not in case:
    return []
  with jax.enable_x64(True):
    return _check_steps(case, task, *in_float64((params, model_state, image, draws)))


def in_float64(tree: Any) -> Any:
  """The tree with floating-point arrays as float64 ones of numpy."""

  def convert(x):
    x = np.asarray(x)
    return x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x

  return jax.tree.map(convert, tree)


def _check_steps(case: Mapping, task, params, model_state, image, draws) -> list[golden.Result]:
  config = case["train_steps_config"]
  name = config["optimiser"]
  optimiser = {"name": name, "rate": config["learning_rate"], **PUBLISHED_CONSTANTS.get(name, {})}
  update = {"loss": "elbo", "clip": 0.0, "groups": {"": optimiser}}
  injected = types.SimpleNamespace(losses={"elbo": partial(task.elbo, sample=draws)})
  updates = make_updates([update], list(injected.losses))
  schedules = make_schedules({"beta": case["config"]["beta"]})
  step = jax.jit(make_train_step(injected, updates, schedules))
  state = state_from(params, model_state, updates, jax.random.key(0))
  results = []
  for i, expected in enumerate(case["train_steps"]):
    state, report = step(state, {"image": image})
    found = {short: report.get(name, 0.0) for short, name in TERM_NAMES.items()}
    found |= {"beta": report["multiplier"], "loss": report["loss"]}
    if "geco" in state.model_state:
      found["err_ema"] = state.model_state["geco"].error_average
    for name, value in expected.items():
      if value is None:
        assert name not in found, f"{name} should not exist without GECO"
        continue
      error = golden.relative_error(found[name], np.asarray(value))
      results.append(golden.Result(f"step {i} {name}", error, case["train_steps_tolerance"]))
  return results
