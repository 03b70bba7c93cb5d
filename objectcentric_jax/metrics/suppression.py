"""Leaves out all but one of the boxes that lie on top of each other."""

import jax
import jax.numpy as jnp

from objectcentric_jax.metrics.average_precision import corners, intersection_over_union
from objectcentric_jax.scene import Scene

Array = jax.Array


def suppress_duplicates(scene: Scene, overlap: float) -> Scene:
  """The scene with duplicate detections made absent.

  Greedy, in each image or frame by itself: boxes are taken by their presence, the first of equal
  ones first, and one that overlaps a box that was taken by more than `overlap` becomes absent. What
  is kept has pairwise intersections over union of at most `overlap`. Masks stay as they are.

  Args:
    scene: has `boxes` [B, (T), N, 4] and `presence` [B, (T), N].
    overlap: intersection over union, in (0, 1).
  """
  boxes = scene.boxes.reshape(-1, *scene.boxes.shape[-2:])
  presence = scene.presence.reshape(-1, scene.presence.shape[-1])
  kept = jax.vmap(_kept, (0, 0, None))(boxes, presence, overlap).reshape(scene.presence.shape)
  return scene.replace(presence=jnp.where(kept, scene.presence, 0))


def _kept(boxes: Array, presence: Array, overlap: float) -> Array:
  """[N] bool: which of the boxes [N, 4] of a picture stay."""
  order = jnp.argsort(-presence, stable=True)
  ordered = corners(boxes[order])[None]
  close = intersection_over_union(ordered, ordered)[0] > overlap  # [N, N]
  earlier = jnp.arange(len(presence))

  def take(i, kept):
    return kept.at[i].set(~(close[i] & kept & (earlier < i)).any())

  kept = jax.lax.fori_loop(0, len(presence), take, jnp.ones(presence.shape, bool))
  return jnp.zeros_like(kept).at[order].set(kept)
