"""From pixels to patches and back, and residual connections between different widths.

The layers of Loci-Segmented (Traub et al., arXiv 2310.10410; nn/downscale.py, nn/upscale.py and
nn/convnext.py of CognitiveModeling/Loci-Segmented). Patches are flattened row, column, channel.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.convolution import Conv, ConvTranspose
from objectcentric_jax.nn.linear import Bottleneck, Linear

Array = jax.Array


def to_patches(x: Array, size: int) -> Array:
  """[N, H, W, C] to [N, H / size, W / size, size^2 C]."""
  count, height, width, channels = x.shape
  x = x.reshape(count, height // size, size, width // size, size, channels)
  return x.swapaxes(2, 3).reshape(count, height // size, width // size, size**2 * channels)


def from_patches(x: Array, size: int) -> Array:
  """[N, h, w, size^2 C] to [N, size h, size w, C]."""
  count, height, width, entries = x.shape
  x = x.reshape(count, height, width, size, size, entries // size**2).swapaxes(2, 3)
  return x.reshape(count, height * size, width * size, entries // size**2)


def match_width(x: Array, features: int) -> Array:
  """[..., C] to [..., features] without parameters: runs of channels averaged or repeated.

  Where neither width divides the other, through their greatest common divisor.
  """
  common = math.gcd(x.shape[-1], features)
  if common < x.shape[-1]:
    x = x.reshape(*x.shape[:-1], common, -1).mean(-1)
  return jnp.repeat(x, features // common, axis=-1)


def enlarge(x: Array, factor: int) -> Array:
  """[N, H, W, C] to [N, factor H, factor W, C], every pixel repeated."""
  return jnp.repeat(jnp.repeat(x, factor, axis=1), factor, axis=2)


def average_patches(x: Array, size: int) -> Array:
  """[N, H, W, C] to [N, H / size, W / size, C]."""
  count, height, width, channels = x.shape
  return x.reshape(count, height // size, size, width // size, size, channels).mean((2, 4))


def largest_in_patches(x: Array, size: int) -> Array:
  """[N, H, W, C] to [N, H / size, W / size, C], each the largest value of its patch."""
  count, height, width, channels = x.shape
  return x.reshape(count, height // size, size, width // size, size, channels).max((2, 4))


class PatchDownscale(nn.Module):
  """Patches through one dense layer, added to their average: [N, H, W, C] to [N, H/s, W/s, F].

  The average is left out where F is no multiple of C.
  """

  features: int
  size: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    y = Linear(self.features, dtype=self.dtype, name="project")(to_patches(x, self.size))
    if self.features % x.shape[-1]:
      return y
    return y + match_width(average_patches(x, self.size), self.features).astype(y.dtype)


class PatchEmbedding(nn.Module):
  """Patches through a bottleneck: [N, H, W, C] to [N, H/s, W/s, F].

  Its hidden layer has `expansion` times the larger of C and F.
  """

  features: int
  size: int
  expansion: int = 4
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    hidden = self.expansion * max(x.shape[-1], self.features)
    layers = Bottleneck(hidden, self.features, dtype=self.dtype, name="bottleneck")
    return layers(to_patches(x, self.size))


class PatchReconstruction(nn.Module):
  """Every pixel through a bottleneck to a patch: [N, h, w, C] to [N, s h, s w, F]."""

  features: int
  size: int
  expansion: int = 4
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    hidden = self.expansion * max(x.shape[-1], self.features)
    entries = self.features * self.size**2
    layers = Bottleneck(hidden, entries, dtype=self.dtype, name="bottleneck")
    return from_patches(layers(x), self.size)


class PatchUpscale(nn.Module):
  """Convolution and transposed convolution, added to repeated pixels.

  [N, h, w, C] to [N, s h, s w, features].
  """

  features: int
  size: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    y = Conv(x.shape[-1], 3, padding=1, dtype=self.dtype, name="conv")(nn.relu(x))
    enlarging = ConvTranspose(self.features, self.size, self.size, dtype=self.dtype, name="enlarge")
    y = enlarging(nn.relu(y))
    return y + enlarge(match_width(x, self.features), self.size).astype(y.dtype)
