"""Scores of a model over a split, from what is computed for each example on the devices."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import InputError
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.devices import Devices, ordered_shards
from objectcentric_jax.training.task import Batch, ModelState, Params, Task

Array = jax.Array
Metric = Callable[[Scene, Batch], dict[str, Array]]


class SetMetric(NamedTuple):
  """Scores that are no mean over examples, such as average precision.

  Attributes:
    observe: (scene, batch) -> tree of arrays [B, ...], what there is to know of each example; runs
      under `jit`.
    summarise: that tree over all N examples in order, numpy arrays [N, ...] -> {name: score}.
  """

  observe: Callable[[Scene, Batch], Any]
  summarise: Callable[[Any], Mapping[str, float]]


class Evaluator:
  """Compiles a model's scores once and applies them to any number of batches.

  Every example has draws of its own, from the seed and its position in the split, so that the
  scores do not depend on the batch size or the number of devices. A task with `whole_batches` sees
  a batch as one, and what it says of an example depends on the others.

  Args:
    task: the model.
    metrics: each (scene, batch) -> {name: values [B]}, whose means are taken, or a SetMetric.
    devices: where to compute.
    seed: of the draws.
    sample: draw latents, as the published evaluations do; False takes their means.
  """

  def __init__(
    self,
    task: Task,
    metrics: Iterable[Metric | SetMetric],
    devices: Devices,
    seed: int,
    sample: bool = True,
  ):
    metrics = tuple(metrics)
    means = [metric for metric in metrics if not isinstance(metric, SetMetric)]
    sets = [metric for metric in metrics if isinstance(metric, SetMetric)]

    def together(params, model_state, batch, rng):
      batch = as_float(batch)
      terms = task.terms(params, model_state, batch, rng, sample)
      scene = task.scene(params, model_state, batch, rng, sample)
      scores = {**terms, "elbo": sum(terms.values())} if terms else {}
      if hasattr(task, "scores"):
        scores |= task.scores(params, model_state, batch, rng)
      for metric in means:
        scores |= metric(scene, batch)
      observed = [metric.observe(scene, batch) for metric in sets]
      return scores, observed

    def one(params, model_state, example, rng):
      batch = {name: value[None] for name, value in example.items()}
      found = together(params, model_state, batch, rng)
      return jax.tree.map(lambda value: value[0], found)

    def scores(params, model_state, batch, key):
      if getattr(task, "whole_batches", False):
        return together(params, model_state, batch, jax.random.fold_in(key, batch["index"][0]))
      keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(batch["index"])
      return jax.vmap(one, (None, None, 0, 0))(params, model_state, batch, keys)

    self._devices, self._sets, self._seed = devices, sets, seed
    self._scores = jax.jit(scores, out_shardings=devices.sharded)

  def __call__(
    self,
    params: Params,
    model_state: ModelState,
    batches: Iterable[Mapping[str, np.ndarray]],
    seed: int | None = None,
  ) -> dict[str, float]:
    """The scores over the valid examples of the batches; `seed` stands for that of the evaluator.

    Raises:
      InputError: a score is not a number for some example; names it.
    """
    parts, key = [], jax.random.key(self._seed if seed is None else seed)
    for batch in batches:
      found = self._scores(params, model_state, self._devices.put(batch), key)
      kept = gather({"valid": batch["valid"], "index": batch["index"]})
      found = jax.tree.map(lambda rows, k=kept: rows[k["valid"]], gather(_local(found)))
      _check_numbers(found[0], kept["index"][kept["valid"]])
      parts.append(found)
    values, observed = jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
    scores = {name: float(v.mean(dtype=np.float64)) for name, v in values.items()}
    for metric, seen in zip(self._sets, observed, strict=True):
      scores |= metric.summarise(seen)
    return scores


def _check_numbers(values: Mapping[str, np.ndarray], indices: np.ndarray):
  for name, value in values.items():
    if np.isnan(value).any():
      raise InputError(
        f"{name} is not a number for example {indices[np.isnan(value)][0]}: its labels exceed what "
        "the dataset declares, or the model's output is not finite"
      )


def _local(tree: Any) -> Any:
  """This process's rows of sharded results."""

  def rows(value):
    return np.concatenate([np.asarray(shard.data) for shard in ordered_shards(value)])

  return jax.tree.map(rows, tree)


def gather(tree: Any) -> Any:
  """Rows of all processes, on every process."""
  if jax.process_count() == 1:
    return tree
  return multihost_utils.process_allgather(tree, tiled=True)
