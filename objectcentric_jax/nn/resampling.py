"""Bilinear resampling of [N, H, W, C] whose corner pixels stay at the corners.

PyTorch's `interpolate(mode="bilinear", align_corners=True)`: output pixel i of n looks at place
i (m - 1) / (n - 1) of m input pixels, and at place 0 where n is 1.
"""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


DENSE = 256  # pixels up to which a matrix is as fast as slices, and much faster to compile


def doubled(x: Array, axis: int) -> Array:
  """Twice as many pixels along an axis of [N, H, W, C]."""
  size = x.shape[axis]
  if size <= DENSE:
    return _along(x, _weights(size, 2 * size, x.dtype), axis)
  return _doubled_by_slices(x, axis)


def _doubled_by_slices(x: Array, axis: int) -> Array:
  """Each pixel is a mixture of two neighbours; a matrix would grow with the square of the size."""
  size = x.shape[axis]
  x = jnp.moveaxis(x, axis, 0)
  # Even pixels look before the pixel that they come from, odd ones behind it.
  places = _places(size, 2 * size, x.dtype).reshape(size, 2) - np.arange(size)[:, None]
  before, behind = (jnp.asarray(abs(column), x.dtype).reshape(-1, 1, 1, 1) for column in places.T)
  previous, following = jnp.concatenate([x[:1], x[:-1]]), jnp.concatenate([x[1:], x[-1:]])
  even = x + before * (previous - x)
  odd = x + behind * (following - x)
  pairs = jnp.stack([even, odd], axis=1)
  return jnp.moveaxis(pairs.reshape(2 * size, *x.shape[1:]), 0, axis)


def resize_bilinear(x: Array, height: int, width: int) -> Array:
  """[N, H, W, C] to [N, height, width, C]: a small matrix product along each axis."""
  x = _along(x, _weights(x.shape[1], height, x.dtype), 1)
  return _along(x, _weights(x.shape[2], width, x.dtype), 2)


def _along(x: Array, weights: np.ndarray, axis: int) -> Array:
  """Mixes rows (axis 1) or columns (axis 2)."""
  pattern = {1: "ph,nhwc->npwc", 2: "qw,nhwc->nhqc"}[axis]
  return jnp.einsum(pattern, jnp.asarray(weights, x.dtype), x)


def _places(size: int, target: int, dtype: jnp.dtype) -> np.ndarray:
  """Where each of `target` pixels looks among `size`, [target], rounded as PyTorch rounds it.

  Single precision leaves these places, and with them published networks, 1e-6 from the exact ones.
  """
  kind = np.float64 if dtype == jnp.float64 else np.float32
  return np.arange(target).astype(kind) * (kind(size - 1) / kind(max(target - 1, 1)))


def _weights(size: int, target: int, dtype: jnp.dtype) -> np.ndarray:
  """How much each of `size` pixels gives to each of `target` ones, [target, size]."""
  place = _places(size, target, dtype)
  low = np.minimum(place.astype(int), size - 1)
  high = np.minimum(low + 1, size - 1)
  share = (place - low)[:, None]
  pixels = np.eye(size)
  return (1 - share) * pixels[low] + share * pixels[high]
