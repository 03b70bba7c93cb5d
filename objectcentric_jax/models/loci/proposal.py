"""The proposal network: where the objects of a first frame are, in one look.

It segments the foreground into slots, from depth or from colours, and guides the start of videos in
the mode "segmentation". Trained on instance masks (stage 5).

Published code: nn/proposal.py and model/lightning/proposal.py of CognitiveModeling/Loci-Segmented.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.losses.assignment import assign
from objectcentric_jax.models.loci.mask_cleanup import cleaned_masks
from objectcentric_jax.nn.convnext import ConvNeXtUnet
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.gaussian_position import grids, mask_position
from objectcentric_jax.nn.linear import Mlp

Array = jax.Array

VISIBLE = 0.8  # stored masks above it are of visible pixels
MAP_CHANNELS = 5  # x, y, depth, size, spread of the depth
OF_DEPTH = (0.0, 0.0, 1.0, 0.0, 1.0)  # which of them need depth
MASK_WEIGHT = 0.01  # of the mask loss
EPSILON = 1e-8


class ProposalNetwork(nn.Module):
  """A U-net whose last features are mixed into masks by weights that the image itself gives.

  Attributes:
    slots: N.
    base: width of the finest features.
    encoder_blocks: per scale.
    decoder_blocks: four numbers, as published: the last is of the coarsest scale, the second of
      all others, and two are without effect.
  """

  slots: int
  base: int
  encoder_blocks: Sequence[int]
  decoder_blocks: Sequence[int]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, picture: Array, foreground: Array) -> tuple[Array, Array]:
    """Where objects are, and which pixels are whose.

    Args:
      picture: [B, H, W, 1 or 3] depth, or colours in [0, 1]; H and W divide by 32.
      foreground: [B, H, W, 1] zeros and ones; the rest is not looked at.

    Returns:
      [B, H, W, MAP_CHANNELS] position of the object at each pixel, and [B, N, H, W, 1] logits of
      the masks against a background of 0.
    """
    batch, height, width, _ = picture.shape
    across, down = (
      jnp.broadcast_to(grid, (height, width)) for grid in grids(height, width, picture.dtype)
    )
    places = jnp.broadcast_to(jnp.stack([across, down], -1)[None], (batch, height, width, 2))
    x = jnp.concatenate([picture, places], axis=-1) * foreground
    x, coarsest = ConvNeXtUnet(
      features=2 * self.slots,
      base=self.base,
      encoder_blocks=self.encoder_blocks,
      coarsest_blocks=self.decoder_blocks[3],
      decoder_blocks=self.decoder_blocks[1],
      embedding=True,
      dtype=self.dtype,
      name="network",
    )(x)
    position = Conv(MAP_CHANNELS, 1, dtype=self.dtype, name="position")(x)
    deep = coarsest.shape[-1]
    widths = (deep, deep, 2 * self.slots**2)
    mixture = Mlp(widths, dtype=self.dtype, name="mixture")(coarsest.mean((1, 2)))
    mixture = mixture.reshape(batch, self.slots, 2 * self.slots)
    return position, jnp.einsum("bnc,bhwc->bnhw", mixture, x)[..., None]


@flax.struct.dataclass
class Targets:
  """What the network should say of an image.

  Attributes:
    masks: [B, N, H, W, 1] zeros and ones.
    foreground: [B, H, W, 1] their union.
    position: [B, H, W, MAP_CHANNELS].
  """

  masks: Array
  foreground: Array
  position: Array


def proposal_targets(masks: Array, depth: Array, signed: bool) -> Targets:
  """Targets from visible instance masks [B, N, H, W, 1] and depth [B, H, W, 1].

  `signed` False cuts negative coordinates off, as published: the target at a pixel is the largest
  over all objects, of which others count as 0.
  """
  masks = (masks > VISIBLE).astype(depth.dtype)
  batch, count = masks.shape[:2]
  present = masks.max((2, 3))  # [B, N, 1]
  area = masks.sum((2, 3)) + EPSILON
  mean = (depth[:, None] * masks).sum((2, 3)) / area
  spread = jnp.sqrt((((depth[:, None] - mean[:, :, None, None]) ** 2) * masks).sum((2, 3)) / area)
  place = mask_position(masks.reshape(batch * count, *masks.shape[2:])).reshape(batch, count, 3)
  position = jnp.concatenate([place[..., :2], mean, place[..., 2:], spread], axis=-1) * present
  shown = masks * position[:, :, None, None]
  target = shown.sum(1) if signed else shown.max(1)
  return jax.tree.map(lax.stop_gradient, Targets(masks, masks.max(1), target))


def position_loss(position: Array, target: Array, depth: Array | None) -> Array:
  """Mean squared error of position maps.

  With `depth` [B, H, W, 1] channels that need it count only for images that have some.
  """
  error = (position - target) ** 2
  if depth is None:
    return error.mean()
  known = (depth > 0).any((1, 2), keepdims=True).astype(error.dtype)
  needs = jnp.asarray(OF_DEPTH, error.dtype).reshape(1, 1, 1, -1)
  return (error * (1 - needs * (1 - known))).mean()


def mask_loss(masks: Array, logits: Array, background_class: bool) -> tuple[Array, Array]:
  """Weighted cross-entropy after matching logits to objects, and their mean overlap.

  Args:
    masks: [B, N, H, W, 1] zeros and ones; some are empty.
    logits: [B, N, H, W, 1], against a background of 0.
    background_class: pixels without object count as background. False as published: the
      background's logit is one more mask that objects can be matched to, and these pixels count as
      those of the object that is matched to the first mask.

  Returns:
    loss, and intersection over union of matched pairs summed and divided by the objects, both
    means over the batch.
  """
  batch, count = masks.shape[:2]
  masks, logits = (x.reshape(batch, count, -1) for x in (masks, logits))
  everything = jnp.concatenate([jnp.zeros_like(logits[:, :1]), logits], axis=1)
  soft = lax.stop_gradient(nn.softmax(everything, axis=1))
  candidates = soft[:, 1:] if background_class else soft
  shared = jnp.einsum("bnp,bmp->bnm", masks, candidates)
  union = masks.sum(2)[:, :, None] + candidates.sum(2)[:, None] - shared
  overlap = shared / (union + EPSILON)
  taken = assign(1 - overlap)  # [B, N]
  present = masks.max(2)
  weights = present / (masks.sum(2) + 1) + (1 - present) / masks.shape[2]
  matched = jnp.take_along_axis(overlap, taken[..., None], 2)[..., 0].sum(1)
  iou = (matched / (present.sum(1) + 1e-16)).mean()

  order = jnp.argsort(taken, axis=1)
  ranked, weights = (
    jnp.take_along_axis(masks, order[..., None], 1),
    jnp.take_along_axis(weights, order, 1),
  )
  places = jnp.take_along_axis(taken, order, 1) + background_class
  chosen = jnp.take_along_axis(everything, places[..., None], 1)
  numbers = jnp.arange(count, dtype=masks.dtype).reshape(1, -1, 1)
  if background_class:
    nothing = 1 - masks.max(1, keepdims=True)
    ranked = jnp.concatenate([nothing, ranked], axis=1)
    chosen = jnp.concatenate([everything[:, :1], chosen], axis=1)
    weights = jnp.concatenate([1 / (nothing.sum(2) + 1), weights], axis=1)
    numbers = jnp.arange(count + 1, dtype=masks.dtype).reshape(1, -1, 1)
  target = (ranked * numbers).sum(1).astype(jnp.int32)  # [B, P]
  likelihood = jnp.take_along_axis(nn.log_softmax(chosen, axis=1), target[:, None], 1)[:, 0]
  weight = jnp.take_along_axis(weights, target, 1)
  return -((weight * likelihood).sum(1) / weight.sum(1)).mean(), iou


def proposals(logits: Array, depth: Array) -> tuple[Array, Array]:
  """Cleaned masks [B, N, H, W, 1] and positions [B, N, 4] of objects; empty ones at zero.

  Args:
    logits: [B, N, H, W, 1].
    depth: [B, H, W, 1].
  """
  masks = lax.stop_gradient(cleaned_masks(logits))
  batch, count = masks.shape[:2]
  present = masks.max((2, 3))
  mean = (depth[:, None] * masks).sum((2, 3)) / (masks.sum((2, 3)) + EPSILON)
  place = mask_position(masks.reshape(batch * count, *masks.shape[2:])).reshape(batch, count, 3)
  position = jnp.concatenate([place[..., :2], mean, place[..., 2:]], axis=-1) * present
  return masks, position


def largest_first(masks: Array, position: Array, count: int) -> tuple[Array, Array]:
  """The `count` largest masks of [B, N, H, W, 1] and their positions, larger ones first.

  Fewer proposals are filled up with empty ones.
  """
  missing = max(count - masks.shape[1], 0)
  masks, position = (
    jnp.pad(x, ((0, 0), (0, missing), *((0, 0),) * (x.ndim - 2))) for x in (masks, position)
  )
  order = jnp.argsort(-masks.sum((2, 3, 4)), axis=1)[:, :count]
  by_slot = order[..., None, None, None]
  return jnp.take_along_axis(masks, by_slot, 1), jnp.take_along_axis(position, order[..., None], 1)


PROPOSAL_FIELDS = ("slots", "channels", "encoder_blocks", "decoder_blocks")


def make_proposal(config: Mapping[str, Any], dtype: jnp.dtype | None) -> ProposalNetwork:
  """The proposal network of `config.model.proposal`."""
  return ProposalNetwork(
    slots=config["slots"],
    base=config["channels"],
    encoder_blocks=tuple(config["encoder_blocks"]),
    decoder_blocks=tuple(config["decoder_blocks"]),
    dtype=dtype,
  )
