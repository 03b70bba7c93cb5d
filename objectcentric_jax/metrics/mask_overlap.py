"""How well a mask of one object agrees with the true one: Dice, region J and boundary F.

Region and boundary are the measures of DAVIS (Perazzi et al., CVPR 2016); all as in
pptrick/Object-Pursuit.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from objectcentric_jax.scene import Scene

Array = jax.Array

SMOOTH = 1e-4
BOUNDARY_TOLERANCE = 0.008  # of the picture's diagonal


def dice(predicted: Array, mask: Array) -> Array:
  """Twice what both share over what both hold, per image, [B]; 1 where both are empty.

  Args:
    predicted: [B, H, W, 1], 0 or 1.
    mask: [B, H, W, 1] in [0, 1]; fractional values count as they are.
  """
  axes = tuple(range(1, mask.ndim))
  shared = (predicted * mask).sum(axes)
  total = predicted.sum(axes) + mask.sum(axes)
  return (2 * shared + SMOOTH) / (total + SMOOTH)


def jaccard(predicted: Array, mask: Array, axes: tuple[int, ...] = (-3, -2, -1)) -> Array:
  """Intersection over union of all that is not zero; 1 where both are empty.

  Args:
    predicted: [B, H, W, 1].
    mask: likewise.
    axes: of one score; all four give that of the batch as a whole.
  """
  predicted, mask = predicted != 0, mask != 0
  shared, either = (predicted & mask).sum(axes), (predicted | mask).sum(axes)
  return jnp.where(either > 0, shared / jnp.maximum(either, 1), 1.0)


def boundary(mask: Array) -> Array:
  """Pixels that differ from their right, lower or lower right neighbour: bool [..., H, W].

  Rows and columns beyond the picture are as its last ones.
  """
  mask = mask != 0
  right = jnp.concatenate([mask[..., 1:], mask[..., -1:]], axis=-1)
  lower = jnp.concatenate([mask[..., 1:, :], mask[..., -1:, :]], axis=-2)
  across = jnp.concatenate([right[..., 1:, :], right[..., -1:, :]], axis=-2)
  found = (mask != right) | (mask != lower) | (mask != across)
  # On the last row only the right neighbour counts, on the last column only the lower one.
  found = found.at[..., -1, :].set((mask != right)[..., -1, :])
  found = found.at[..., :, -1].set((mask != lower)[..., :, -1])
  return found.at[..., -1, -1].set(False)


def boundary_f(predicted: Array, mask: Array, tolerance: float = BOUNDARY_TOLERANCE) -> Array:
  """F measure of the boundary pixels of two masks [B, H, W, 1], [B]; 1 where neither has any.

  Args:
    predicted: what is not zero is the object.
    mask: likewise.
    tolerance: how far apart matching pixels may be: pixels from 1 on, else a share of the diagonal.
  """
  height, width = mask.shape[1:3]
  found, true = boundary(predicted[..., 0]), boundary(mask[..., 0])
  # The published diagonal counts the one channel of the mask as a third side.
  diagonal = math.sqrt(height**2 + width**2 + 1)
  radius = tolerance if tolerance >= 1 else math.ceil(tolerance * diagonal)
  near_true, near_found = _dilated(true, radius), _dilated(found, radius)

  def share(pixels, inside):
    return (pixels & inside).sum((1, 2)) / jnp.maximum(pixels.sum((1, 2)), 1)

  precision, recall = share(found, near_true), share(true, near_found)
  total = precision + recall
  measure = jnp.where(total > 0, 2 * precision * recall / jnp.where(total > 0, total, 1), 0.0)
  return jnp.where(found.any((1, 2)) | true.any((1, 2)), measure, 1.0)


def _dilated(pixels: Array, radius: float) -> Array:
  """Pixels bool [B, H, W] and all within a disk around them."""
  reach = math.floor(radius)
  y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
  disk = jnp.asarray((x**2 + y**2 <= radius**2)[..., None, None], jnp.float32)
  counts = lax.conv_general_dilated(
    pixels[..., None].astype(jnp.float32),
    disk,
    (1, 1),
    [(reach, reach)] * 2,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  return counts[..., 0] > 0.5


def overlap_metrics(scene: Scene, batch: Mapping[str, Array]) -> dict[str, Array]:
  """Scores of a scene of one object before a background, per image, [B].

  `dice`, `iou` (region J), `boundary_f`, and `j_and_f`, the mean of the last two. A pixel is the
  object's where its mask is above 0.5; of the true mask's soft borders see `dice` and `jaccard`.

  Args:
    scene: has `masks` [B, 2, H, W, 1], the background's first.
    batch: has the true mask, see `object_mask`.
  """
  mask = object_mask(batch)
  predicted = (scene.masks[:, 1] > 0.5).astype(mask.dtype)
  region, edge = jaccard(predicted, mask), boundary_f(predicted, mask)
  return {
    "dice": dice(predicted, mask),
    "iou": region,
    "boundary_f": edge,
    "j_and_f": (region + edge) / 2,
  }


def object_mask(batch: Mapping[str, Array]) -> Array:
  """The mask [B, H, W, 1] in [0, 1] of the one object that the pictures of a batch are of.

  From `mask`, from the only one of `masks`, or from where `segmentation` is not 0.
  """
  if "mask" in batch:
    return batch["mask"]
  if "masks" in batch:
    return batch["masks"][:, 0]
  return (batch["segmentation"] > 0).astype(jnp.float32)
