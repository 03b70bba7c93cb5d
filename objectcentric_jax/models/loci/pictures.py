"""Pictures of Loci-Segmented: `Task.panels` of the whole model and what they are made of.

They stand for the `--save` options of CognitiveModeling/Loci-Segmented (its
model/scripts/evaluation.py).
"""

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


def slot_colours(count: int) -> Array:
  """[count, 3]."""
  return jnp.asarray([COLOURS[i % len(COLOURS)] for i in range(count)])


def coloured_masks(masks: Array) -> Array:
  """Every slot in its colour, by its mask: [..., K, H, W, 1] to [..., H, W, 3]."""
  colours = slot_colours(masks.shape[-4]).reshape(-1, 1, 1, 3)
  return jnp.clip((masks * colours).sum(-4), 0, 1)


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
  colours = slot_colours(position.shape[-2]).reshape(-1, 1, 1, 3)
  return gaussian_map(position, height, width) * colours


def code_pictures(gestalt: Array, height: int, width: int) -> Array:
  """Codes as bars of black and white: [..., K, D] to [..., K, H, W, 3].

  Codes of shape, depth and colours are a third of the height each, entry by entry from the left;
  the scale of the depth is left out.
  """
  codes = gestalt[..., :-1].reshape(*gestalt.shape[:-1], 3, -1)
  rows = jnp.arange(height) * 3 // height
  columns = jnp.arange(width) * codes.shape[-1] // width
  return grey(jnp.clip(codes[..., rows[:, None], columns[None]], 0, 1)[..., None])
