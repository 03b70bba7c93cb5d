"""ConvNeXt blocks (Liu et al., 2022) as encoder and U-Net, in the form of Loci-Segmented.

Published code: nn/convnext.py of CognitiveModeling/Loci-Segmented.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.depthwise import DepthwiseConv
from objectcentric_jax.nn.linear import Bottleneck
from objectcentric_jax.nn.normalization import GroupNorm
from objectcentric_jax.nn.patches import (
  PatchDownscale,
  PatchEmbedding,
  PatchReconstruction,
  PatchUpscale,
  match_width,
)

Array = jax.Array

GROUP = 32  # channels that are normalised together
KERNEL = 7  # side of the depthwise kernels


def group_count(channels: int) -> int:
  """Groups of the normalisation of so many channels."""
  return channels // min(GROUP, channels)


class ConvNeXtBlock(nn.Module):
  """Depthwise convolution, norm, bottleneck and a residual connection: [N, H, W, C] to [..., F].

  `features` None keeps the width.
  """

  features: int | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    channels = x.shape[-1]
    features = self.features or channels
    y = DepthwiseConv(KERNEL, dtype=self.dtype, name="depthwise")(x)
    y = GroupNorm(group_count(channels), dtype=self.dtype, name="norm")(y)
    hidden = 4 * max(channels, features)
    y = Bottleneck(hidden, features, dtype=self.dtype, name="bottleneck")(y)
    return y + match_width(x, features).astype(y.dtype)


class ConvNeXtBlocks(nn.Module):
  """So many blocks in a row, named block_0, block_1 and so on."""

  count: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    for i in range(self.count):
      x = ConvNeXtBlock(dtype=self.dtype, name=f"block_{i}")(x)
    return x


class ConvNeXtEncoder(nn.Module):
  """Feature maps of four scales: [N, H, W, C] to a list of [N, H/s, W/s, F], s = 4, 8, 16, 32.

  Attributes:
    base: channels of the finest map; every coarser one has twice as many.
    blocks: how many per scale; a coarser scale without blocks is that before it.
    embedding: patches become features by `PatchEmbedding` instead of `PatchDownscale`.
  """

  base: int
  blocks: Sequence[int]
  embedding: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> list[Array]:
    downscale, maps = PatchEmbedding if self.embedding else PatchDownscale, []
    for level, count in enumerate(self.blocks):
      if count or not level:
        size, features = 2 if level else 4, self.base * 2**level
        x = downscale(features, size, dtype=self.dtype, name=f"down_{level}")(x)
      x = ConvNeXtBlocks(count, dtype=self.dtype, name=f"blocks_{level}")(x)
      maps.append(x)
    return maps


class ConvNeXtUnet(nn.Module):
  """Encoder and a decoder that merges its maps: [N, H, W, C] to ([N, H, W, F], coarsest map).

  Attributes:
    features: F.
    base, encoder_blocks, embedding: see `ConvNeXtEncoder`; `embedding` decodes by
      `PatchReconstruction` instead of `PatchUpscale`.
    coarsest_blocks: decoder blocks on the coarsest map.
    decoder_blocks: on each of the others.
  """

  features: int
  base: int
  encoder_blocks: Sequence[int]
  coarsest_blocks: int
  decoder_blocks: int
  embedding: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> tuple[Array, Array]:
    upscale = PatchReconstruction if self.embedding else PatchUpscale
    encoder = ConvNeXtEncoder(self.base, self.encoder_blocks, self.embedding, self.dtype)
    maps = encoder.copy(name="encoder")(x)
    x = ConvNeXtBlocks(self.coarsest_blocks, dtype=self.dtype, name="blocks_3")(maps[3])
    for level in (2, 1, 0):
      width = self.base * 2**level
      if level < 2 or self.coarsest_blocks:
        x = upscale(width, 2, dtype=self.dtype, name=f"up_{level + 1}")(x)
      x = jnp.concatenate([x, maps[level]], axis=-1)
      x = Conv(width, 3, padding=1, dtype=self.dtype, name=f"merge_{level}")(x)
      x = ConvNeXtBlocks(self.decoder_blocks, dtype=self.dtype, name=f"blocks_{level}")(x)
    return upscale(self.features, 4, dtype=self.dtype, name="up_0")(x), maps[3]
