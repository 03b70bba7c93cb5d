"""Random draws of modules, which can be turned off or handed in.

Every stochastic module takes `sample`: True draws from the stream `NOISE`; False stands every
Gaussian draw at its mean and logistic noise at zero; a mapping hands in draws by name and treats
those that it lacks likewise.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array
Sample = bool | Mapping[str, Array]

NOISE = "noise"  # name of the random stream: module.apply(..., rngs={NOISE: key})


def draw_normal(
  module: nn.Module, sample: Sample, name: str, shape: tuple[int, ...], dtype=None
) -> Array:
  """Standard normal draw of this shape, or zeros, or the given draw.

  `dtype` None is jax's default: float32, or float64 where that is enabled.
  """
  dtype = jnp.result_type(float) if dtype is None else dtype
  if isinstance(sample, Mapping):
    return _given(sample, name, shape) if name in sample else jnp.zeros(shape, dtype)
  if not sample:
    return jnp.zeros(shape, dtype)
  return jax.random.normal(module.make_rng(NOISE), shape, dtype)


def draw_uniform(
  module: nn.Module, sample: Sample, name: str, shape: tuple[int, ...], dtype
) -> Array:
  """Uniform draw in [0, 1) of this shape, or the given draw; never turned off by `sample=False`."""
  if isinstance(sample, Mapping) and name in sample:
    return _given(sample, name, shape)
  return jax.random.uniform(module.make_rng(NOISE), shape, dtype)


def draw_logistic(
  module: nn.Module, sample: Sample, name: str, shape: tuple[int, ...], dtype
) -> Array:
  """Standard logistic draw of this shape, or zeros, or the given draw; always finite."""
  if isinstance(sample, Mapping):
    return _given(sample, name, shape) if name in sample else jnp.zeros(shape, dtype)
  if not sample:
    return jnp.zeros(shape, dtype)
  smallest = jnp.finfo(jnp.float32).eps
  uniform = jax.random.uniform(module.make_rng(NOISE), shape, dtype, smallest, 1 - smallest)
  return jnp.log(uniform) - jnp.log1p(-uniform)


def draw_dropout(module: nn.Module, sample: Sample, name: str, x: Array, rate: float) -> Array:
  """`x` with about this share of its values at zero and the others scaled up; or `x` itself.

  A given draw is uniform in [0, 1), and values below `rate` are dropped.
  """
  if isinstance(sample, Mapping):
    if name not in sample:
      return x
  elif not sample:
    return x
  kept = draw_uniform(module, sample, name, x.shape, jnp.float32) >= rate
  return jnp.where(kept, x / (1 - rate), 0)


def _given(sample: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
  if sample[name].shape != shape:
    raise ValueError(f"given draws {name!r} have shape {sample[name].shape}, not {shape}")
  return sample[name]
