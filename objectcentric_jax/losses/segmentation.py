"""Losses of one object's mask. Masks may be fractional where they were resized."""

import jax
import jax.numpy as jnp

Array = jax.Array

SMOOTH = 1e-4  # keeps overlaps of empty masks defined


def cross_entropy(logits: Array, mask: Array, positive_weight: Array | float = 1.0) -> Array:
  """Binary cross-entropy per pixel, shaped like the logits, in nats.

  Args:
    logits: any shape.
    mask: likewise, in [0, 1].
    positive_weight: of the pixels of the object.
  """
  inside, outside = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
  return -(positive_weight * mask * inside + (1 - mask) * outside)


def balancing_weight(mask: Array) -> Array:
  """Pixels without the object per pixel of it, a scalar; 1 where there is none of it.

  Every pixel that is not exactly 0 counts as one of the object (`pos_weight` of the pursuit in
  pptrick/Object-Pursuit).
  """
  inside = (mask != 0).sum()
  weight = (mask.size - inside) / jnp.maximum(inside, 1)
  return jnp.where(inside > 0, weight, 1.0).astype(mask.dtype)


def overlap_loss(probability: Array, mask: Array) -> Array:
  """One minus the overlap of two soft masks [B, H, W, 1] per image, [B].

  As published: what both share is not taken off their sum, so that a perfect match scores 0.5.
  """
  axes = tuple(range(1, mask.ndim))
  shared = (probability * mask).sum(axes)
  total = probability.sum(axes) + mask.sum(axes)
  return jnp.abs(1 - (shared + SMOOTH) / (total + SMOOTH))
