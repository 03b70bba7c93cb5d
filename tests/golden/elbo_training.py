"""What the cases of all models trained on an ELBO share: terms, gradients, optimiser steps."""

import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flax.traverse_util
import jax
import numpy as np

from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import state_from
from objectcentric_jax.training.step import make_train_step
from tests.golden import case as golden

TERM_NAMES = {"err": "reconstruction", "kl_m": "kl_mask", "kl_l": "kl_latent"}
# Where the published training script differs from PyTorch's defaults.
PUBLISHED_CONSTANTS = {"sgd": {"momentum": 0.9}}


def mean_terms(terms: Mapping, beta: float) -> dict:
  """Batch means under the published names; `terms` as from a task, per image."""
  mean = {short: terms[name].mean() if name in terms else 0.0 for short, name in TERM_NAMES.items()}
  divergence = mean["kl_m"] + mean["kl_l"]
  return {
    "err_mean": mean["err"],
    "kl_m_mean": mean["kl_m"],
    "kl_l_mean": mean["kl_l"],
    "elbo": mean["err"] + divergence,
    "loss": mean["err"] + beta * divergence,
  }


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
  """The recorded optimiser steps, through the real train step, with the recorded draws."""
  if "train_steps" not in case:
    return []
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
