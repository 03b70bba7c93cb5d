"""GECO: the multiplier of the KL that holds the reconstruction error at a goal.

Rezende and Viola, "Taming VAEs" (2018), as in akosiorek/forge's geco.py.
"""

from collections.abc import Mapping

import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


@flax.struct.dataclass
class Geco:
  """State of the constraint: scalars, checkpointed with the model.

  Attributes:
    multiplier: weight of the KL in the next step's loss.
    error_average: moving average of the error; 0 before the first update.
    updates: how many errors the average has seen.
  """

  multiplier: Array
  error_average: Array
  updates: Array


def geco_start(multiplier: float = 1.0) -> Geco:
  """State before the first step."""
  return Geco(
    multiplier=jnp.asarray(multiplier, jnp.float32),
    error_average=jnp.zeros((), jnp.float32),
    updates=jnp.zeros((), jnp.int32),
  )


def geco_update(
  geco: Geco,
  error: Array,
  goal: float,
  step_size: float,
  decay: float = 0.99,
  speedup: float | None = 10.0,
  minimum: float = 1e-10,
  maximum: float = 1e10,
) -> Geco:
  """State after a step whose batch-mean reconstruction error was `error` (no gradient).

  The average moves as (1 - decay) error + decay average; the multiplier is scaled by
  exp(speed step_size (goal - average)), with speed = `speedup` while the goal is met (when it is
  given) and 1 otherwise, and kept within [minimum, maximum]. Error and goal are in nats an image.
  """
  error = lax.stop_gradient(error)
  average = jnp.where(geco.updates == 0, error, (1 - decay) * error + decay * geco.error_average)
  slack = goal - average
  speed = 1.0 if speedup is None else jnp.where(slack > 0, speedup, 1.0)
  multiplier = jnp.clip(geco.multiplier * jnp.exp(speed * step_size * slack), minimum, maximum)
  return Geco(
    multiplier.astype(geco.multiplier.dtype),
    average.astype(geco.error_average.dtype),
    geco.updates + 1,
  )


GECO_FIELDS = ("goal", "rate", "decay", "start", "minimum", "speedup")


def geco_step(
  geco: Geco, error: Array, settings: Mapping[str, float], shape: tuple[int, int, int]
) -> Geco:
  """`geco_update` for images of this shape (H, W, C), with settings that do not depend on it.

  Args:
    geco: state before the step.
    error: batch mean, nats an image.
    settings: GECO_FIELDS; `goal` in nats per value (pixel and channel), `rate` the step size of
      the multiplier for images of 64 x 64 pixels.
    shape: of an image.
  """
  height, width, channels = shape
  return geco_update(
    geco,
    error,
    goal=settings["goal"] * height * width * channels,
    step_size=settings["rate"] * 64**2 / (height * width),
    decay=settings["decay"],
    speedup=settings["speedup"],
    minimum=settings["minimum"],
  )
