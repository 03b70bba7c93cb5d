"""Schedules: named values that depend on the step alone, evaluated inside the compiled step.

A schedule is a number, or a dict with `kind` and its constants, as in `config.train.schedules`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from objectcentric_jax.errors import InputError

Array = jax.Array
Schedule = Callable[[Array], Array]


def constant(value: float) -> Schedule:
  """The same value at every step."""
  return lambda step: jnp.asarray(value, jnp.float32)


def linear(start: float, end: float, steps: int, begin: int = 0) -> Schedule:
  """From `start` to `end` over `steps` steps after step `begin`; constant before and after."""
  _check_steps(steps)
  return optax.linear_schedule(start, end, steps, begin)


def exponential(
  start: float, rate: float, steps: int, begin: int = 0, end: float | None = None
) -> Schedule:
  """start * rate^((step - begin) / steps) after step `begin`, as far as `end` where it is given."""
  _check_steps(steps)
  if rate <= 0:
    raise ValueError(f"rate is {rate}: it must be positive")
  return optax.exponential_decay(start, steps, rate, begin, end_value=end)


def cosine(peak: float, steps: int, warmup: int = 0, end: float = 0.0) -> Schedule:
  """Linear from 0 to `peak` over `warmup` steps, then half a cosine to `end` at step `steps`."""
  return optax.warmup_cosine_decay_schedule(0.0 if warmup else peak, peak, warmup, steps, end)


def piecewise(values: tuple[float, ...], steps: tuple[int, ...]) -> Schedule:
  """values[i] until steps[i], then values[i + 1]: one value more than steps."""
  if len(values) != len(steps) + 1:
    raise TypeError(f"needs one value more than steps, not {len(values)} and {len(steps)}")
  bounds, table = jnp.asarray(steps), jnp.asarray(values, jnp.float32)
  return lambda step: table[jnp.searchsorted(bounds, step, side="right")]


def periodic(value: float, period: int, first: int = 0, also: tuple[int, ...] = ()) -> Schedule:
  """`value` at steps first, first + period, ... and at those of `also`; 0 at all others."""
  if period < 1:
    raise ValueError(f"period is {period}: at least 1 is needed")

  def at(step):
    due = (step >= first) & ((step - first) % period == 0)
    for other in also:
      due = due | (step == other)
    return jnp.where(due, jnp.float32(value), jnp.float32(0))

  return at


KINDS = {
  "constant": constant,
  "linear": linear,
  "exponential": exponential,
  "cosine": cosine,
  "piecewise": piecewise,
  "periodic": periodic,
}


def make_schedule(name: str, config: float | Mapping[str, Any]) -> Schedule:
  """The schedule called `name` from its config.

  Raises:
    InputError: unknown kind or constants.
  """
  if not isinstance(config, Mapping):
    return constant(config)
  settings = dict(config)
  kind = settings.pop("kind", None)
  if kind not in KINDS:
    raise InputError(f"schedule {name}: kind {kind!r} is unknown; choose one of {', '.join(KINDS)}")
  try:
    return KINDS[kind](**settings)
  except (TypeError, ValueError) as error:
    raise InputError(f"schedule {name}: {error}") from None


def _check_steps(steps: int):
  if steps < 1:
    raise ValueError(f"steps is {steps}: at least 1 is needed")


def make_schedules(configs: Mapping[str, Any]) -> dict[str, Schedule]:
  """All schedules of `config.train.schedules`."""
  return {name: make_schedule(name, config) for name, config in configs.items()}
