"""PyTorch's default initialisation, which every published model here was trained with."""

import math

import jax


def uniform_fan_in(fan_in: int):
  """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of PyTorch's linear and convolution layers."""
  bound = 1.0 / math.sqrt(fan_in)

  def init(key, shape, dtype):
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init
