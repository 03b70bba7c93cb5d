"""Decoders of Loci-Segmented: from a slot's position and codes to mask, then depth, then colours.

Traub et al., Loci-Segmented: Improving Scene Segmentation Learning (arXiv 2310.10410); published
code: nn/decoder.py, mask_decoder.py, depth_decoder.py and rgb_decoder.py of
CognitiveModeling/Loci-Segmented. N is batch times slots, G the size of a code, h = H / 16.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.convnext import ConvNeXtBlock
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.gaussian_position import (
  gaussian_map,
  position_embedding,
  prioritize,
  squash_deviation,
)
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample, draw_normal
from objectcentric_jax.nn.patches import (
  PatchEmbedding,
  PatchReconstruction,
  largest_in_patches,
)

Array = jax.Array

PATCH = 16  # pixels along a side of a patch


def mask_probability(logits: Array) -> Array:
  """Of a slot alone against a background of logit 1."""
  return nn.sigmoid(at_least_float32(logits) - 1)


def mask_widths(code: int, channels: int) -> tuple[int, ...]:
  """Channels of the mask decoder's convolutions: halved down to `channels`."""
  widths = [code // 2]
  while widths[-1] // 2 > channels:
    widths.append(widths[-1] // 2)
  return (*widths, channels)


class MaskDecoder(nn.Module):
  """Codes placed on the grid of patches [N, h, w, G] to mask logits [N, H, W, 1]."""

  code: int
  channels: int
  expansion: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, placed: Array) -> Array:
    x = placed
    for i, width in enumerate(mask_widths(self.code, self.channels)):
      x = nn.silu(x) if i else x
      x = Conv(width, 3, padding=1, dtype=self.dtype, name=f"conv_{i}")(x)
    enlarging = PatchReconstruction(1, PATCH, self.expansion, dtype=self.dtype, name="reconstruct")
    return enlarging(x)


class _Conditions(nn.Module):
  """What depth and colours are decoded from, on the grid of patches.

  Attributes:
    embedded: name -> channels of the pictures that are embedded patch by patch.
  """

  embedded: Mapping[str, int]
  expansion: int
  squashed: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, position: Array, code: Array, mask: Array, **pictures: Array) -> Array:
    _, height, width, _ = mask.shape
    largest = largest_in_patches(mask, PATCH)
    if self.squashed:
      position = squash_deviation(position, height // PATCH, width // PATCH)
    waves = position_embedding(position, height // PATCH, width // PATCH)
    embedded = []
    for name, channels in self.embedded.items():
      embedding = PatchEmbedding(channels, PATCH, self.expansion, dtype=self.dtype, name=name)
      embedded.append(tanh(embedding({"mask": mask, **pictures}[name])))
    parts = (code[:, None, None] * largest, *embedded, waves * largest)
    dtype = embedded[0].dtype
    return jnp.concatenate([part.astype(dtype) for part in parts], axis=-1)


class DepthDecoder(nn.Module):
  """Position [N, 3 or 4], code [N, G] and mask [N, H, W, 1] to standardised depth [N, H, W, 1].

  Attributes:
    channels: of the blocks; `mask_channels` of the embedded mask.
    layers: how many blocks.
    squashed: see `objectcentric_jax.nn.gaussian_position.squash_deviation`.
  """

  channels: int
  mask_channels: int
  layers: int
  expansion: int
  squashed: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, position: Array, code: Array, mask: Array) -> Array:
    embedded = {"mask": self.mask_channels}
    conditions = _Conditions(embedded, self.expansion, self.squashed, self.dtype)
    x = conditions.copy(name="conditions")(position, code, mask)
    x = Linear(self.channels, dtype=self.dtype, name="mix")(x)
    for i in range(self.layers):
      x = ConvNeXtBlock(dtype=self.dtype, name=f"block_{i}")(x)
    enlarging = PatchReconstruction(1, PATCH, self.expansion, dtype=self.dtype, name="reconstruct")
    return enlarging(x)


class RgbDecoder(nn.Module):
  """As `DepthDecoder`, from depth [N, H, W, 1] besides, to colours [N, H, W, 3] in (0, 1)."""

  channels: int
  mask_channels: int
  depth_channels: int
  layers: int
  expansion: int
  squashed: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, position: Array, code: Array, mask: Array, depth: Array) -> Array:
    embedded = {"mask": self.mask_channels, "depth": self.depth_channels}
    conditions = _Conditions(embedded, self.expansion, self.squashed, self.dtype)
    x = conditions.copy(name="conditions")(position, code, mask, depth=depth * mask)
    x = Linear(self.channels, dtype=self.dtype, name="mix")(x)
    for i in range(self.layers):
      x = ConvNeXtBlock(dtype=self.dtype, name=f"block_{i}")(x)
    enlarging = PatchReconstruction(3, PATCH, self.expansion, dtype=self.dtype, name="reconstruct")
    return nn.sigmoid(enlarging(x))


@flax.struct.dataclass
class DecodedSlots:
  """What slots look like, each [B, K, H, W, C].

  Attributes:
    mask: logits, those of slots in front taken into account.
    raw_mask: logits of every slot alone, hidden parts included; as `mask` where not asked for.
    rgb: colours in (0, 1).
    depth: in the units of the picture's depth.
    standard_depth: before it is scaled and moved to the slot's z.
  """

  mask: Array
  raw_mask: Array
  rgb: Array
  depth: Array
  standard_depth: Array


class SlotDecoder(nn.Module):
  """Positions [B, K, 4] (x, y, z, deviation) and codes [B, K, 3G + 1] to `DecodedSlots`.

  A slot's codes are those of mask, depth and colours, G each, and the scale of its depth.

  Attributes:
    height, width: of the pictures, multiples of 32.
    mask, depth, rgb: the decoders.
  """

  height: int
  width: int
  mask: MaskDecoder
  depth: DepthDecoder
  rgb: RgbDecoder

  def __call__(
    self,
    position: Array,
    gestalt: Array,
    priority: Array | None = None,
    raw: bool = False,
    given_mask: Array | None = None,
    given_depth: Array | None = None,
    sample: Sample = True,
  ) -> DecodedSlots:
    """Decodes slots.

    Args:
      position, gestalt: of the slots.
      priority: [B, K]; slots of greater priority take the place of others. None: none does.
      raw: whether to decode the masks without priorities as well; depth and colours then go by
        these.
      given_mask, given_depth: [B, K, H, W, 1] that depth and colours are decoded by, instead of
        what was decoded before them; the depth is standardised.
      sample: as in `objectcentric_jax.nn.noise`; the draw `priority` [B, K] settles ties.
    """
    batch, slots = position.shape[:2]
    mask_code, depth_code, rgb_code = jnp.split(flat(gestalt[..., :-1]), 3, axis=-1)
    placed = self._places(position, priority, raw, sample)
    logits = [self.mask(flat(place) * mask_code[:, None, None]) for place in placed]
    mask, raw_mask = logits[0], logits[-1]
    seen = mask_probability(raw_mask) if given_mask is None else flat(given_mask)
    standard = self.depth(flat(position), depth_code, seen)
    by_depth = standard if given_depth is None else flat(given_depth)
    rgb = self.rgb(flat(position), rgb_code, seen, by_depth)
    depth = flat(position)[:, None, None, 2:3] + standard * flat(gestalt)[:, None, None, -1:]
    parts = (mask, raw_mask, rgb, depth, standard)
    parts = (at_least_float32(x).reshape(batch, slots, *x.shape[1:]) for x in parts)
    return DecodedSlots(*parts)

  def _places(self, position, priority, raw: bool, sample: Sample) -> list[Array]:
    """Where slots are, [B, K, h, w, 1]: with priorities, then without, as asked for."""
    alone = gaussian_map(position, self.height // PATCH, self.width // PATCH)
    if priority is None:
      return [alone]
    noise = draw_normal(self, sample, "priority", priority.shape, priority.dtype)
    return [prioritize(alone, priority, noise), *([alone] if raw else [])]


def flat(x: Array) -> Array:
  """Slots as part of the batch: [B, K, ...] to [B K, ...]."""
  return x.reshape(-1, *x.shape[2:])


def make_mask_decoder(config: Mapping[str, Any], dtype: jnp.dtype | None) -> MaskDecoder:
  """The mask decoder of `config.model`."""
  size = config["embedding"]["mask"]
  return MaskDecoder(config["gestalt"], size["channels"], size["expansion"], dtype)


def make_depth_decoder(config: Mapping[str, Any], dtype: jnp.dtype | None) -> DepthDecoder:
  """The depth decoder of `config.model`."""
  size = config["embedding"]["depth"]
  return DepthDecoder(
    channels=size["channels"],
    mask_channels=config["embedding"]["mask"]["channels"],
    layers=config["decoder"]["depth"]["layers"],
    expansion=size["expansion"],
    squashed=config["squashed_deviation"],
    dtype=dtype,
  )


def make_rgb_decoder(config: Mapping[str, Any], dtype: jnp.dtype | None) -> RgbDecoder:
  """The decoder of colours of `config.model`."""
  size = config["embedding"]["rgb"]
  return RgbDecoder(
    channels=size["channels"],
    mask_channels=config["embedding"]["mask"]["channels"],
    depth_channels=config["embedding"]["depth"]["channels"],
    layers=config["decoder"]["rgb"]["layers"],
    expansion=size["expansion"],
    squashed=config["squashed_deviation"],
    dtype=dtype,
  )


def make_slot_decoder(config: Mapping[str, Any], dtype: jnp.dtype | None) -> SlotDecoder:
  """All three decoders of `config.model`."""
  return SlotDecoder(
    height=config["height"],
    width=config["width"],
    mask=make_mask_decoder(config, dtype),
    depth=make_depth_decoder(config, dtype),
    rgb=make_rgb_decoder(config, dtype),
  )
