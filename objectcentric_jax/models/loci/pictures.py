"""Pictures of Loci-Segmented: `Task.panels` of the whole model and what they are made of.

`python -m experiments.visualise --workdir DIR --what NAME` draws them with captions, for images and
videos, and with --separate every picture in a file of its own. For the options of the published
model.main (model/scripts/evaluation.py of CognitiveModeling/Loci-Segmented):

  --save           frames: pictures, depth, masks and uncertainty as they are, seen and expected;
                   slots: colours, depth, masks, position, what is hidden, codes; middle frame
  --save-proposal  proposals, of a run of the proposal network
  --individual     --separate
  --add-text       always
  latent-*.pickle  python -m experiments.export --what latents
"""

from typing import Any

import jax
import jax.numpy as jnp

from objectcentric_jax.nn.gaussian_position import gaussian_map

Array = jax.Array

# Colours of slots, far apart in this order; further slots start over.
COLOURS = (
  *((1.0, 0.2, 0.2), (0.2, 0.4, 1.0), (1.0, 0.9, 0.2), (0.9, 0.2, 0.9), (0.2, 0.9, 0.9)),
  *((0.2, 0.8, 0.2), (1.0, 0.6, 0.1), (0.6, 0.3, 0.9), (0.6, 0.9, 0.4), (1.0, 0.6, 0.7)),
  *((0.5, 0.3, 0.1), (0.4, 0.6, 0.7), (0.7, 0.7, 0.1), (0.1, 0.5, 0.4), (0.8, 0.7, 0.6)),
)


def slot_colours(count: int, rank: int) -> Array:
  """Of so many slots: [..., count, 1, 1, 3] with this many axes."""
  colours = jnp.asarray([COLOURS[i % len(COLOURS)] for i in range(count)])
  return colours.reshape((1,) * (rank - 4) + (count, 1, 1, 3))


def coloured_masks(masks: Array) -> Array:
  """Every slot in its colour, by its mask: [..., K, H, W, 1] to [..., H, W, 3]."""
  return jnp.clip((masks * slot_colours(masks.shape[-4], masks.ndim)).sum(-4), 0, 1)


def overlay(image: Array, masks: Array) -> Array:
  """The image in grey, with the slots in their colours: [..., H, W, 3], [..., K, H, W, 1]."""
  grey = image.mean(-1, keepdims=True)
  shown = masks.sum(-4)
  return grey * (1 - 2 / 3 * shown) + 2 / 3 * coloured_masks(masks)


def grey_depth(depth: Array, known: Array) -> Array:
  """Depth [..., H, W, 1] from 0 at the nearest to 1 at the farthest known one, as grey colours."""
  axes = (-3, -2, -1)
  low = jnp.where(known, depth, jnp.inf).min(axes, keepdims=True)
  high = jnp.where(known, depth, -jnp.inf).max(axes, keepdims=True)
  scaled = jnp.where(known, (depth - low) / jnp.maximum(high - low, 1e-6), 0.0)
  return grey(jnp.clip(scaled, 0, 1))


def grey(picture: Array) -> Array:
  """[..., 1] to [..., 3]."""
  return jnp.repeat(picture, 3, axis=-1)


def placed(position: Array, height: int, width: int) -> Array:
  """Where slots are, each in its colour: [..., K, 4] to [..., K, H, W, 3]."""
  maps = gaussian_map(position, height, width)
  return maps * slot_colours(position.shape[-2], maps.ndim)


def code_pictures(gestalt: Array, height: int, width: int) -> Array:
  """Codes as bars of black and white: [..., K, D] to [..., K, H, W, 3].

  Codes of shape, depth and colours are a third of the height each, entry by entry from the left;
  the scale of the depth is left out.
  """
  codes = gestalt[..., :-1].reshape(*gestalt.shape[:-1], 3, -1)
  rows = jnp.arange(height) * 3 // height
  columns = jnp.arange(width) * codes.shape[-1] // width
  return grey(jnp.clip(codes[..., rows[:, None], columns[None]], 0, 1)[..., None])


def slot_rows(view: Any, position: Array, gestalt: Array) -> dict[str, Array]:
  """Every slot and the background alone: rows of pictures [B, K + 1 or K, H, W, 3].

  Args:
    view: a `View` of frames [B, ...].
    position: [B, K, 4] and gestalt [B, K, 3 G + 1] of its slots.
  """
  height, width = view.image.shape[-3:-1]
  masks = view.masks
  occluded = jnp.maximum(view.raw_masks - masks[:, :-1], 0)
  known = jnp.broadcast_to(masks > 0.1, view.depths.shape)
  return {
    "slot colours": view.components,
    "slot in its mask": view.components * masks,
    "slot depth": jax.vmap(jax.vmap(grey_depth))(view.depths, known),
    "slot mask": grey(masks),
    "whole mask": grey(view.raw_masks),
    "occluded": grey(occluded),
    "position": placed(position, height, width),
    "code": code_pictures(gestalt, height, width),
  }


def frame_rows(image: Array, depth: Array, seen: Any) -> dict[str, Array]:
  """Frames and what was made of them: rows of pictures [B, H, W, 3].

  Args:
    image, depth: of the frames, [B, H, W, 3 or 1]; negative depth is not known.
    seen: a `Seen` of these frames.
  """
  view, expected = seen.reconstruction, seen.prediction
  everywhere = jnp.ones_like(view.depth, bool)
  return {
    "frame": image,
    "depth": grey_depth(depth, depth >= 0),
    "slots in the frame": overlay(image, view.masks[:, :-1]),
    "reconstruction": view.image,
    "reconstructed depth": grey_depth(view.depth, everywhere),
    "masks": coloured_masks(view.masks[:, :-1]),
    "uncertainty": grey(jnp.clip(seen.uncertainty, 0, 1)),
    "background": seen.background,
    "background depth": grey_depth(seen.background_depth, everywhere),
    "expected next": expected.image,
    "expected depth": grey_depth(expected.depth, everywhere),
    "expected masks": coloured_masks(expected.masks[:, :-1]),
  }
