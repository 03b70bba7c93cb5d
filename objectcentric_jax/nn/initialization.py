"""Initialisations that the published models were trained with."""

import math

import jax


def uniform_fan_in(fan_in: int):
  """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of PyTorch's linear and convolution layers."""
  bound = 1.0 / math.sqrt(fan_in)

  def init(key, shape, dtype):
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init


def xavier_uniform(key, shape, dtype):
  """Glorot and Bengio's uniform initialisation of a matrix [I, O]: bound sqrt(6 / (I + O))."""
  bound = math.sqrt(6.0 / (shape[-2] + shape[-1]))
  return jax.random.uniform(key, shape, dtype, -bound, bound)
