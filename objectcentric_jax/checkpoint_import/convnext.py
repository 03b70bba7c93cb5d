"""Published names of ConvNeXt blocks, patch layers and U-nets of Loci-Segmented.

Of nn/convnext.py, nn/downscale.py and nn/upscale.py in CognitiveModeling/Loci-Segmented.
"""

import numpy as np

from objectcentric_jax.checkpoint_import.names import (
  Rearrange,
  Target,
  convolution,
  layer,
  linear,
  norm,
  same,
)


def depthwise(weight: np.ndarray) -> np.ndarray:
  """(C, 1, k, k) to (k, k, C)."""
  return weight[:, 0].transpose(1, 2, 0)


def from_patches(size: int) -> Rearrange:
  """Linear weight whose input is a patch in order (channel, row, column); ours is row by row."""

  def rearrange(weight):
    outputs = weight.shape[0]
    patch = weight.reshape(outputs, -1, size, size)
    return patch.transpose(2, 3, 1, 0).reshape(-1, outputs)

  return rearrange


def to_patches(size: int) -> Rearrange:
  """Linear weight or bias whose output is a patch in order (channel, row, column) likewise."""

  def rearrange(weight):
    patch = weight.reshape(-1, size, size, *weight.shape[1:])
    return np.moveaxis(patch, 0, 2).reshape(weight.shape).transpose()

  return rearrange


def bottleneck(
  published: str, ours: str, inner: Rearrange = linear, outer: Rearrange | None = None
) -> dict[str, Target]:
  """A `Bottleneck`; `inner` and `outer` rearrange where patches go in or come out."""
  return {
    f"{published}.weight1": Target(f"{ours}/inner/kernel", inner),
    f"{published}.bias1": Target(f"{ours}/inner/bias", same),
    f"{published}.weight2": Target(f"{ours}/outer/kernel", outer or linear),
    f"{published}.bias2": Target(f"{ours}/outer/bias", outer or same),
  }


def embedding(published: str, ours: str, size: int) -> dict[str, Target]:
  """A `PatchEmbedding`."""
  return bottleneck(published, f"{ours}/bottleneck", inner=from_patches(size))


def reconstruction(published: str, ours: str, size: int) -> dict[str, Target]:
  """A `PatchReconstruction`."""
  return bottleneck(published, f"{ours}/bottleneck", outer=to_patches(size))


def block(published: str, ours: str) -> dict[str, Target]:
  """A `ConvNeXtBlock`."""
  return {
    **layer(f"{published}.layers.0", f"{ours}/depthwise", depthwise),
    **norm(f"{published}.layers.1", f"{ours}/norm"),
    **bottleneck(f"{published}.layers.2", f"{ours}/bottleneck"),
  }


def embedding_unet(
  published: str, ours: str, encoder_blocks: tuple[int, ...], coarsest: int, others: int
) -> dict[str, Target]:
  """A `ConvNeXtUnet` with patch embeddings: `coarsest` decoder blocks, and `others` a scale."""
  names = {}
  for level, count in enumerate(encoder_blocks):
    theirs = f"{published}.encoder.layer{level}"
    if count or not level:
      names |= embedding(f"{theirs}.0", f"{ours}/encoder/down_{level}", 2 if level else 4)
    for i in range(count):
      names |= block(f"{theirs}.{i + 1}", f"{ours}/encoder/blocks_{level}/block_{i}")
  for level in (3, 2, 1, 0):
    theirs, count = f"{published}.layer{3 - level}", coarsest if level == 3 else others
    for i in range(count):
      names |= block(f"{theirs}.{i}", f"{ours}/blocks_{level}/block_{i}")
    if level < 3 or coarsest:
      names |= reconstruction(f"{theirs}.{count}", f"{ours}/up_{level}", 2 if level else 4)
    if level < 3:
      names |= layer(f"{published}.merge{3 - level}", f"{ours}/merge_{level}", convolution)
  return names
