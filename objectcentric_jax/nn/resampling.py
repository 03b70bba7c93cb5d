"""Bilinear resampling of [N, H, W, C] whose corner pixels stay at the corners.

PyTorch's `interpolate(mode="bilinear", align_corners=True)`: output pixel i of n looks at place
i (m - 1) / (n - 1) of m input pixels, and at place 0 where n is 1.
"""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def doubled(x: Array, axis: int) -> Array:
  """Twice as many pixels along an axis.

  Each pixel is a mixture of two neighbours, so that slices do what a matrix would do, whose size
  grows with the square of the picture's.
  """
  size = x.shape[axis]
  place = np.arange(size) / (2 * size - 1)  # how far even pixels are before their own, odd ones
  shape = [size if i == axis % x.ndim else 1 for i in range(x.ndim)]  # behind it: the mirror image
  before = jnp.asarray(place, x.dtype).reshape(shape)
  behind = jnp.asarray(place[::-1], x.dtype).reshape(shape)
  x = jnp.moveaxis(x, axis, 0)
  before, behind = jnp.moveaxis(before, axis, 0), jnp.moveaxis(behind, axis, 0)
  previous, following = jnp.concatenate([x[:1], x[:-1]]), jnp.concatenate([x[1:], x[-1:]])
  even = x + before * (previous - x)
  odd = x + behind * (following - x)
  pairs = jnp.stack([even, odd], axis=1)
  return jnp.moveaxis(pairs.reshape(2 * size, *x.shape[1:]), 0, axis)


def resize_bilinear(x: Array, height: int, width: int) -> Array:
  """[N, H, W, C] to [N, height, width, C]: a small matrix product along each axis."""
  rows, columns = _weights(x.shape[1], height), _weights(x.shape[2], width)
  x = jnp.einsum("ph,nhwc->npwc", jnp.asarray(rows, x.dtype), x)
  return jnp.einsum("qw,npwc->npqc", jnp.asarray(columns, x.dtype), x)


def _weights(size: int, target: int) -> np.ndarray:
  """How much each of `size` pixels gives to each of `target` ones, [target, size]."""
  place = np.arange(target) * (size - 1) / max(target - 1, 1)
  low = np.minimum(place.astype(int), size - 1)
  high = np.minimum(low + 1, size - 1)
  share = (place - low)[:, None]
  pixels = np.eye(size)
  return (1 - share) * pixels[low] + share * pixels[high]
