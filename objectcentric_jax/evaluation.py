"""Scores of a model over a split: exact means of per-example values, computed on the devices."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

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


class Evaluator:
  """Compiles a model's scores once and applies them to any number of batches.

  Every example has draws of its own, from the seed and its position in the split, so that the
  scores do not depend on the batch size or the number of devices.

  Args:
    task: the model.
    metrics: each (scene, batch) -> {name: values [B]}.
    devices: where to compute.
    seed: of the draws.
    sample: draw latents, as the published evaluations do; False takes their means.
  """

  def __init__(
    self, task: Task, metrics: Iterable[Metric], devices: Devices, seed: int, sample: bool = True
  ):
    metrics = tuple(metrics)

    def one(params, model_state, example, rng):
      batch = as_float({name: value[None] for name, value in example.items()})
      terms = task.terms(params, model_state, batch, rng, sample)
      scene = task.scene(params, model_state, batch, rng, sample)
      scores = {**terms, "elbo": sum(terms.values())}
      for metric in metrics:
        scores |= metric(scene, batch)
      return {name: value[0] for name, value in scores.items()}

    def scores(params, model_state, batch):
      key = jax.random.key(seed)
      keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(batch["index"])
      return jax.vmap(one, (None, None, 0, 0))(params, model_state, batch, keys)

    self._devices = devices
    self._scores = jax.jit(scores, out_shardings=devices.sharded)

  def __call__(
    self, params: Params, model_state: ModelState, batches: Iterable[Mapping[str, np.ndarray]]
  ) -> dict[str, float]:
    """Mean of every score over the valid examples of the batches.

    Raises:
      InputError: a score is not a number for some example; names it.
    """
    values: dict[str, list[np.ndarray]] = {}
    for batch in batches:
      scores = self._scores(params, model_state, self._devices.put(batch))
      kept = gather({"valid": batch["valid"], "index": batch["index"]})
      for name, value in gather(_local(scores)).items():
        value = value[kept["valid"]].astype(np.float64)
        if np.isnan(value).any():
          index = kept["index"][kept["valid"]][np.isnan(value)][0]
          raise InputError(
            f"{name} is not a number for example {index}: its labels exceed what the dataset "
            "declares, or the model's output is not finite"
          )
        values.setdefault(name, []).append(value)
    return {name: float(np.concatenate(parts).mean()) for name, parts in values.items()}


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
