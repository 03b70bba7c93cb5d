"""From logits of proposed masks to a few whole, solid, disjoint-to-begin-with shapes.

Every step is compiled: labels spread over connected pixels instead of a walk through the image.

Published code: nn/proposal.py of CognitiveModeling/Loci-Segmented.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array

WINDOW = 5  # pixels: gaps narrower are closed, shapes that hold no such window are dropped


def cleaned_masks(logits: Array, window: int = WINDOW) -> Array:
  """Hard masks [B, N, H, W, 1] of proposals with these logits, shaped likewise; some are empty."""
  largest = largest_component(hard_masks(logits))
  return without_small(closed(largest, window), window)


def hard_masks(logits: Array) -> Array:
  """Ones where a proposal has the largest logit of all and of the background's 0; [B, N, ...]."""
  background = jnp.zeros_like(logits[:, :1])
  best = jnp.argmax(
    jnp.concatenate([background, logits], axis=1), axis=1
  )  # the first of equal ones
  chosen = jnp.arange(1, logits.shape[1] + 1).reshape(1, -1, *(1,) * (best.ndim - 1))
  return (best[:, None] == chosen).astype(logits.dtype)


def _windows(masks: Array, window: int, outside: float, reduce) -> Array:
  """`reduce` over the window around every pixel of [B, N, H, W, 1]; `outside` beyond the image."""
  start, half = np.asarray(outside, masks.dtype), window // 2
  size, padding = (1, 1, window, window, 1), ((0, 0), (0, 0), (half, half), (half, half), (0, 0))
  return lax.reduce_window(masks, start, reduce, size, (1,) * 5, padding)


def closed(masks: Array, window: int = WINDOW) -> Array:
  """Grown and shrunk again by the window, which fills gaps; the image's rim changes nothing."""
  grown = _windows(masks, window, 0.0, lax.max)
  return _windows(grown, window, 1.0, lax.min)


def without_small(masks: Array, window: int = WINDOW) -> Array:
  """The masks that hold a whole window of ones; the others empty."""
  padded = jnp.pad(masks, ((0, 0), (0, 0), (window // 2,) * 2, (window // 2,) * 2, (0, 0)))
  size = (1, 1, window, window, 1)
  solid = lax.reduce_window(padded, np.asarray(1.0, masks.dtype), lax.min, size, (1,) * 5, "VALID")
  return masks * solid.max((2, 3, 4), keepdims=True)


def largest_component(masks: Array) -> Array:
  """Of each mask [B, N, H, W, 1] of zeros and ones its largest connected part.

  Pixels that touch at a corner are connected; of equally large parts the one that begins first, row
  by row, is taken.
  """
  batch, count, height, width, _ = masks.shape
  flat = masks.reshape(batch * count, height * width)
  nowhere = height * width
  own = jnp.where(flat > 0, jnp.arange(height * width, dtype=jnp.int32), jnp.int32(nowhere))
  labels = _connected(own.reshape(-1, height, width), nowhere).reshape(batch * count, -1)

  def size_of_each(labels):  # a label is the first pixel of its component
    return jnp.zeros((height * width + 1,), jnp.int32).at[labels].add(1)[:-1]

  sizes = jax.vmap(size_of_each)(labels)
  largest = jnp.argmax(sizes, axis=1)[:, None]
  return ((labels == largest) & (flat > 0)).astype(masks.dtype).reshape(masks.shape)


def _connected(own: Array, nowhere: int) -> Array:
  """The smallest label of each pixel's component, [N, H, W]; `nowhere` where there is none."""
  inside = own < nowhere

  def neighbours(labels):
    size, padding = (1, 3, 3), ((0, 0), (1, 1), (1, 1))
    beyond = np.int32(nowhere)
    return lax.reduce_window(labels, beyond, lax.min, size, (1, 1, 1), padding)

  def along(labels, axis, reverse):
    """Carries labels over whole runs of a row or column at once."""

    def join(earlier, later):  # runs end where there is no mask
      (label, joined), (next_label, next_joined) = earlier, later
      return jnp.where(
        next_joined, jnp.minimum(label, next_label), next_label
      ), joined & next_joined

    return lax.associative_scan(join, (labels, inside), axis=axis, reverse=reverse)[0]

  def spread(state):
    labels, _ = state
    moved = neighbours(labels)
    for axis in (1, 2):
      for reverse in (False, True):
        moved = jnp.where(inside, moved, nowhere)
        moved = along(moved, axis, reverse)
    moved = jnp.where(inside, moved, nowhere)
    return moved, (moved != labels).any()

  return lax.while_loop(lambda state: state[1], spread, (own, jnp.bool_(True)))[0]
