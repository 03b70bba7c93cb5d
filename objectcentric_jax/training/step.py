"""The train step: a loop over the updates."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from objectcentric_jax.batch import as_float
from objectcentric_jax.training.devices import CARRY
from objectcentric_jax.training.optimizers import Update
from objectcentric_jax.training.schedules import Schedule
from objectcentric_jax.training.state import TrainState
from objectcentric_jax.training.task import Batch, LossFn, Task

Array = jax.Array
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, dict[str, Array]]]


def gradient_norms(gradients: Mapping[str, Any]) -> dict[str, Array]:
  """Norm of each top-level part of the parameters, and of the whole gradient."""
  parts = {f"gradient_norm/{name}": optax.tree.norm(part) for name, part in gradients.items()}
  return {**parts, "gradient_norm": optax.tree.norm(gradients)}


def make_train_step(
  task: Task,
  updates: Sequence[Update],
  schedules: Mapping[str, Schedule],
  axis_name: str | None = None,
) -> TrainStep:
  """A pure step (state, batch) -> (state, report) over the global batch.

  The report holds scalars of the step in the order they are computed: schedules and loss terms by
  name, and for every update its loss and the norms of the gradients it applies. With several losses
  their names are prefixed.

  With `axis_name` the step runs on one device's share of the batch under `pmap`: gradients, report
  and model state, but for what is carried for each example, are averaged over that axis.
  """

  def average(tree: Any) -> Any:
    if axis_name is None:
      return tree
    # Counters are equal on all devices already, and a mean would turn them to floats.
    is_float = lambda x: jnp.issubdtype(jnp.result_type(x), jnp.inexact)  # noqa: E731
    return jax.tree.map(lambda x: lax.pmean(x, axis_name) if is_float(x) else x, tree)

  def moved(update: Update, params, model_state, optimizer, batch, now, rng):
    """What an update changes, and the terms it reports."""
    differentiate = jax.value_and_grad(_ordered(task.losses[update.loss]), has_aux=True)
    (loss, (model_state, terms)), gradients = differentiate(params, model_state, batch, now, rng)
    carry = {name: model_state[name] for name in (CARRY,) if name in model_state}
    loss, model_state, terms, gradients = average((loss, model_state, terms, gradients))
    model_state = {**model_state, **carry}
    gradients = update.applied(gradients)
    deltas, optimizer = update.transformation.update(gradients, optimizer, params)
    params = optax.apply_updates(params, deltas)
    terms = OrderedDict({**terms, "loss": loss, **gradient_norms(gradients)})
    return params, model_state, optimizer, terms

  def moved_when_due(update: Update, *arguments):
    """Nothing changes in the steps that leave an update out; it then reports zeros."""
    if update.when is None:
      return moved(update, *arguments)
    due = partial(moved, update)
    nothing = jax.tree.map(
      lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(due, *arguments)[3]
    )
    now = arguments[4]
    return lax.cond(now[update.when] > 0, due, lambda *same: (*same[:3], nothing), *arguments)

  def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
    batch = as_float(batch)
    rng = jax.random.fold_in(state.rng, state.step)
    if axis_name is not None:
      rng = jax.random.fold_in(rng, lax.axis_index(axis_name))
    now = {name: schedule(state.step) for name, schedule in schedules.items()}
    params, model_state = state.params, state.model_state
    report, optimizers = OrderedDict(now), []
    for i, (update, optimizer) in enumerate(zip(updates, state.optimizers, strict=True)):
      arguments = (params, model_state, optimizer, batch, now, jax.random.fold_in(rng, i))
      params, model_state, optimizer, terms = moved_when_due(update, *arguments)
      optimizers.append(optimizer)
      prefix = f"{update.loss}/" if len(updates) > 1 else ""
      report |= {prefix + name: value for name, value in terms.items()}
    report["parameter_norm"] = optax.tree.norm(params)
    state = TrainState(state.step + 1, params, model_state, tuple(optimizers), state.rng)
    return state, OrderedDict((name, jnp.asarray(value)) for name, value in report.items())

  return train_step


def _ordered(loss: LossFn) -> LossFn:
  """The loss with its terms as they come: jax sorts the names of any other dict."""

  def ordered(*arguments):
    value, (model_state, terms) = loss(*arguments)
    return value, (model_state, OrderedDict(terms))

  return ordered
