"""How PyTorch and the published models start their weights; kernels are HWIO."""

import math

import jax


def uniform_fan_in(fan_in: int):
  """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the default of PyTorch's linear and convolution layers."""
  bound = 1.0 / math.sqrt(fan_in)

  def init(key, shape, dtype):
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init


def normal_fan_in(key, shape, dtype):
  """N(0, 2 / fan_in) of kernels [..., I, O] whose outputs are rectified (He et al., 2015)."""
  fan_in = math.prod(shape[:-1])
  return math.sqrt(2.0 / fan_in) * jax.random.normal(key, shape, dtype)


def normal_fan_out(key, shape, dtype):
  """N(0, 2 / (k k O)) of kernels [k, k, I, O], as the first residual networks started."""
  fan_out = math.prod(shape) // shape[-2]
  return math.sqrt(2.0 / fan_out) * jax.random.normal(key, shape, dtype)


def xavier_uniform(key, shape, dtype):
  """Glorot and Bengio's uniform initialisation of a matrix [I, O]: bound sqrt(6 / (I + O))."""
  bound = math.sqrt(6.0 / (shape[-2] + shape[-1]))
  return jax.random.uniform(key, shape, dtype, -bound, bound)
