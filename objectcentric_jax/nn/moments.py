"""From the raw outputs of a layer to mean and deviation of a diagonal Gaussian.

The parametrisations of the GENESIS repository (modules/blocks.py). Results are in float32 at
least, whatever the compute type.
"""

import jax
import jax.numpy as jnp
from jax import nn

from objectcentric_jax.nn.activations import tanh

Array = jax.Array


def at_least_float32(x: Array) -> Array:
  """The same numbers in float32, or float64 if they are that already."""
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def posterior_deviation(raw: Array) -> Array:
  """softplus(raw + 0.5) + 1e-8, above 0."""
  return nn.softplus(at_least_float32(raw) + 0.5) + 1e-8


def posterior_moments(raw: Array) -> tuple[Array, Array]:
  """Mean and deviation, each [..., D], from raw outputs [..., 2D]."""
  mean, deviation = jnp.split(at_least_float32(raw), 2, axis=-1)
  return mean, posterior_deviation(deviation)


def prior_moments(raw: Array, squash: bool = True) -> tuple[Array, Array]:
  """Mean in (-1, 1) by tanh (unless `squash` is False) and deviation in (1e-4, 1 + 1e-4)."""
  mean, deviation = jnp.split(at_least_float32(raw), 2, axis=-1)
  return tanh(mean) if squash else mean, nn.sigmoid(deviation + 4.0) + 1e-4
