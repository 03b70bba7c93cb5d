"""Positions of slots as Gaussians: drawn, embedded, read from masks, ordered by priority.

A position [..., P] begins with x (right) and y (down), in [-1, 1] over the image, and ends with
the deviation, in halves of the image's shorter side; z may stand between. Published code:
utils/utils.py and nn/embedding.py of CognitiveModeling/Loci-Segmented.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.gradients import clip
from objectcentric_jax.nn.linear import Mlp
from objectcentric_jax.nn.patches import match_width

Array = jax.Array

LARGEST_DEVIATION = 0.5
FREQUENCIES = 8  # of the embedding, for each axis
PRIORITY_GAIN = 250.0
PRIORITY_NOISE = 2.5  # deviation of the noise in `prioritize`, in units of priority * PRIORITY_GAIN
INNER = 0.75  # mask value from which a pixel counts as inside


def grids(height: int, width: int, dtype=jnp.float32) -> tuple[Array, Array]:
  """Coordinates of pixel centres, the outermost at -1 and 1: x [1, width], y [height, 1]."""
  x = 2 * jnp.arange(width, dtype=dtype) / (width - 1) - 1
  y = 2 * jnp.arange(height, dtype=dtype) / (height - 1) - 1
  return x[None, :], y[:, None]


def squash_deviation(position: Array, height: int, width: int) -> Array:
  """The position with any number as deviation brought between one pixel and the largest."""
  least = 1 / min(height, width)
  deviation = nn.sigmoid(position[..., -1:]) * (LARGEST_DEVIATION - least) + least
  return jnp.concatenate([position[..., :-1], deviation], axis=-1)


def _parts(position: Array, height: int, width: int) -> tuple[Array, Array, Array]:
  """x, y and deviation within their bounds, each [..., 1, 1]."""
  place = position[..., None, None, :]
  x, y = clip(place[..., 0], -1.0, 1.0), clip(place[..., 1], -1.0, 1.0)
  return x, y, clip(place[..., -1], 1 / min(height, width), LARGEST_DEVIATION)


def _offsets(position: Array, x: Array, y: Array, height: int, width: int) -> tuple[Array, Array]:
  """From the position to every pixel, along x and y: each [..., height or 1, width or 1]."""
  lead = (1,) * (position.ndim - 1)
  across, down = grids(height, width, position.dtype)
  return across.reshape(*lead, 1, width) - x, down.reshape(*lead, height, 1) - y


def gaussian_map(position: Array, height: int, width: int) -> Array:
  """Gaussians of height 1 at the positions [..., 3 or 4]: [..., height, width, 1].

  Bounds: see `_parts`. Gradients end where a bound is passed.
  """
  x, y, deviation = _parts(position, height, width)
  across, down = _offsets(position, x, y, height, width)
  wide = deviation * (height / width)
  exponent = across**2 / (2 * wide**2) + down**2 / (2 * deviation**2)
  return jnp.exp(-exponent)[..., None]


def position_embedding(position: Array, height: int, width: int) -> Array:
  """Waves around the positions [..., 3 or 4], the shorter the smaller: [..., height, width, 16].

  Channels are cos(2^i a), cos(2^i b) for i = 0 to 7, with a across and b down.
  """
  x, y, deviation = _parts(position, height, width)
  across, down = _offsets(position, x, y, height, width)
  rate = 0.1 / deviation * (math.pi / 2)
  shape = (*position.shape[:-1], height, width)
  a = jnp.broadcast_to(across * (rate * (width / height)), shape)
  b = jnp.broadcast_to(down * rate, shape)
  waves = [jnp.cos(angle * 2.0**i) for i in range(FREQUENCIES) for angle in (a, b)]
  return jnp.stack(waves, axis=-1)


class PositionPooling(nn.Module):
  """Features [N, H, W, C] at positions [N, 3 or 4], weighted by their Gaussian: [N, features].

  Either width is a multiple of the other. `squashed` is for checkpoints whose deviations need
  `squash_deviation`.
  """

  features: int
  squashed: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, position: Array) -> Array:
    _, height, width, channels = x.shape
    if self.squashed:
      position = squash_deviation(position, height, width)
    weights = gaussian_map(position, height, width)
    weights = weights / (weights.sum((1, 2), keepdims=True) + 1e-8)
    pooled = (weights.astype(x.dtype) * x).sum((1, 2))
    hidden = 4 * max(channels, self.features)
    y = Mlp((hidden, self.features), dtype=self.dtype, name="residual")(pooled)
    return match_width(pooled, self.features).astype(y.dtype) + y


def mask_position(mask: Array) -> Array:
  """Centre and size of masks [N, H, W, 1] as positions (x, y, deviation): [N, 3]."""
  centre = expected_place(mask / (mask.sum((1, 2), keepdims=True) + 1e-8))
  return jnp.concatenate([centre, jnp.sqrt(mask.mean((1, 2)))], axis=-1)


def expected_place(weights: Array) -> Array:
  """Sum of the coordinates (x, y) of pixels by their weights [N, H, W, 1]: [N, 2]."""
  across, down = grids(*weights.shape[1:3], weights.dtype)
  x = (weights[..., 0] * across[None]).sum((1, 2))
  return jnp.stack([x, (weights[..., 0] * down[None]).sum((1, 2))], axis=-1)


def place_inside(mask: Array, noise: Array) -> Array:
  """A random place in masks [N, H, W, 1], two pixels from their rims: (x, y), [N, 2].

  Masks too thin for that give their centre. `noise` is standard normal, of the mask's shape. No
  gradient.
  """
  mask = jax.lax.stop_gradient(mask)
  inside = (mask > INNER).astype(mask.dtype)
  eroded = 1 - _largest_around(1 - inside, 2)
  chance = nn.softmax((noise * eroded * 1000).reshape(len(mask), -1)).reshape(mask.shape)
  is_thin = eroded.sum((1, 2)) < 0.1
  return jnp.where(is_thin, mask_position(mask)[:, :2], expected_place(chance * eroded))


def _largest_around(x: Array, radius: int) -> Array:
  """The largest value in the square around each pixel of [N, H, W, C]."""
  window, pad = 2 * radius + 1, (radius, radius)
  windows, pads = (1, window, window, 1), ((0, 0), pad, pad, (0, 0))
  return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, windows, (1, 1, 1, 1), pads)


def prioritize(maps: Array, priority: Array, noise: Array) -> Array:
  """Maps [B, K, h, w, 1] of slots, less those of the slots of greater priority [B, K].

  `noise` is standard normal, [B, K]; it settles ties.
  """
  count = priority.shape[1]
  rank = PRIORITY_GAIN * priority + PRIORITY_NOISE * noise
  others = 1 - jnp.eye(count, dtype=rank.dtype)[None]
  wins = nn.sigmoid(rank[:, None, :] - rank[:, :, None]) * others
  return nn.relu(maps - jnp.einsum("boi,bihwc->bohwc", wins, maps))
