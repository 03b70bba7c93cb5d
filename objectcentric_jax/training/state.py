"""Everything that changes in training, in one tree: sharded, donated and checkpointed together."""

from collections.abc import Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.training.optimizers import Update
from objectcentric_jax.training.task import Batch, Task

Array = jax.Array


@flax.struct.dataclass
class TrainState:
  """State before step `step`.

  Attributes:
    step: scalar int32, number of steps done.
    params: parameter tree.
    model_state: what else a model changes (batch statistics, multipliers, carry).
    optimizers: one optax state per update.
    rng: key that every step's draws are folded from; never changes.
  """

  step: Array
  params: Any
  model_state: dict[str, Any]
  optimizers: tuple[Any, ...]
  rng: Array


def init_state(task: Task, updates: Sequence[Update], rng: Array, batch: Batch) -> TrainState:
  """State before the first step. Pure: call it under `jit`."""
  init_rng, run_rng = jax.random.split(rng)
  params, model_state = task.init(init_rng, batch)
  return state_from(params, model_state, updates, run_rng)


def state_from(
  params: Any, model_state: dict[str, Any], updates: Sequence[Update], rng: Array, step: int = 0
) -> TrainState:
  """State that starts at these parameters with fresh optimisers."""
  optimizers = tuple(update.transformation.init(params) for update in updates)
  return TrainState(jnp.asarray(step, jnp.int32), params, model_state, optimizers, rng)
