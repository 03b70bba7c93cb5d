"""Depthwise convolutions: every channel with a kernel of its own, for all images or for each.

A grouped convolution is an order of magnitude slower on the CPU than the sum of shifted images that
is computed here. Rows of the kernel are a loop there, so that compilation stays short.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax

from objectcentric_jax.nn.initialization import uniform_fan_in

Array = jax.Array


def convolve_depthwise(x: Array, kernel: Array) -> Array:
  """Cross-correlation of every channel with its own kernel; the size stays.

  Args:
    x: [N, H, W, C].
    kernel: [k, k, C], or [N, k, k, C] for each image; k is odd. Zeros surround the image.

  Returns:
    [N, H, W, C].
  """
  kernels = kernel if kernel.ndim == 4 else kernel[None]
  if jax.default_backend() == "cpu":
    return _by_rows(x, kernels)
  size = kernels.shape[1]
  padded = _padded(x, size)
  return sum(_row(padded[:, i : i + x.shape[1]], kernels[:, i]) for i in range(size))


def _padded(x: Array, size: int) -> Array:
  margin = (size // 2, size // 2)
  return jnp.pad(x, ((0, 0), margin, margin, (0, 0)))


def _row(strip: Array, weights: Array) -> Array:
  """One row of the kernels, [N, k, C], over a strip [N, H, W + k - 1, C]."""
  size = weights.shape[1]
  width = strip.shape[2] - size + 1
  weights = weights[:, :, None, None]
  return sum(strip[:, :, j : j + width] * weights[:, j] for j in range(size))


def _sum_over_rows(x: Array, kernels: Array) -> Array:
  size, padded = kernels.shape[1], _padded(x, kernels.shape[1])

  def add(i, y):
    strip = lax.dynamic_slice_in_dim(padded, i, x.shape[1], 1)
    return y + _row(strip, lax.dynamic_index_in_dim(kernels, i, 1, keepdims=False))

  return lax.fori_loop(0, size, add, jnp.zeros_like(x))


@jax.custom_vjp
def _by_rows(x: Array, kernels: Array) -> Array:
  """`convolve_depthwise` with kernels [N or 1, k, k, C]; its gradient is written out below."""
  return _sum_over_rows(x, kernels)


def _forward(x: Array, kernels: Array):
  return _sum_over_rows(x, kernels), (x, kernels)


def _backward(saved, gradient: Array):
  x, kernels = saved
  size, width = kernels.shape[1], x.shape[2]
  padded = _padded(x, size)

  def add(total, row):  # of the image: the rows around it meet that row of the gradient
    strip = lax.dynamic_slice_in_dim(padded, row, size, 1)
    one = lax.dynamic_slice_in_dim(gradient, row, 1, 1)
    products = [(strip[:, :, j : j + width] * one).sum(2) for j in range(size)]
    return total + jnp.stack(products, axis=2), None

  start = jnp.zeros((len(x), *kernels.shape[1:]), x.dtype)
  of_kernels = lax.scan(add, start, jnp.arange(x.shape[1]))[0]
  if len(kernels) == 1:
    of_kernels = of_kernels.sum(0, keepdims=True)
  return _sum_over_rows(gradient, kernels[:, ::-1, ::-1]), of_kernels


_by_rows.defvjp(_forward, _backward)


class DepthwiseConv(nn.Module):
  """Depthwise convolution of [N, H, W, C] with bias and PyTorch's default initialisation."""

  size: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    init, channels = uniform_fan_in(self.size**2), x.shape[-1]
    kernel = self.param("kernel", init, (self.size, self.size, channels), jnp.float32)
    bias = self.param("bias", init, (channels,), jnp.float32)
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
    return convolve_depthwise(x, kernel) + bias.reshape(1, 1, 1, -1)
