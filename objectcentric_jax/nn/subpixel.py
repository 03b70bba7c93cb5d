"""Upsampling by pixel shuffle (Shi et al., 2016), with the normalised convolutions around it."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.activations import elu
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.normalization import GroupNorm

Array = jax.Array


def pixel_shuffle(x: Array, factor: int) -> Array:
  """[N, H, W, C r^2] to [N, r H, r W, C]; channel c r^2 + i r + j goes to c at offset (i, j)."""
  count, height, width, channels = x.shape
  channels //= factor**2
  x = x.reshape(count, height, width, channels, factor, factor)
  x = x.transpose(0, 1, 4, 2, 5, 3)
  return x.reshape(count, factor * height, factor * width, channels)


class ConvGroupNorm(nn.Module):
  """Convolution, ELU, group normalisation, in this order; `factor` shuffles before the ELU.

  `longest_sum` is the convolution's.
  """

  features: int
  size: int
  groups: int
  stride: int = 1
  padding: int = 0
  factor: int = 1
  dtype: jnp.dtype | None = None
  longest_sum: int | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    conv = Conv(
      self.features * self.factor**2,
      self.size,
      self.stride,
      self.padding,
      dtype=self.dtype,
      longest_sum=self.longest_sum,
      name="conv",
    )
    x = conv(x)
    if self.factor > 1:
      x = pixel_shuffle(x, self.factor)
    return GroupNorm(self.groups, dtype=self.dtype, name="norm")(elu(x))


class SubPixelDecoder(nn.Module):
  """Latents [N, D] to feature maps [N, S, S, features[-1]], S the product of the factors.

  A layer without space widens the latent to `width` channels; every block then enlarges the map by
  its factor and refines it by a 3x3 convolution.

  Attributes:
    width: channels of the first layer, in 16 groups.
    features, groups, factors: of the blocks.
  """

  width: int
  features: Sequence[int]
  groups: Sequence[int]
  factors: Sequence[int]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latent: Array) -> Array:
    x = latent[:, None, None, :]
    x = ConvGroupNorm(self.width, 1, 16, dtype=self.dtype, name="widen")(x)
    blocks = zip(self.features, self.groups, self.factors, strict=True)
    for i, (features, groups, factor) in enumerate(blocks):
      enlarge = ConvGroupNorm(features, 1, groups, factor=factor, dtype=self.dtype)
      refine = ConvGroupNorm(features, 3, groups, padding=1, dtype=self.dtype)
      x = refine.copy(name=f"refine_{i}")(enlarge.copy(name=f"enlarge_{i}")(x))
    return x
