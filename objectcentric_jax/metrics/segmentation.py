"""How well the masks of a scene agree with labelled objects."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.ari import adjusted_rand_index
from objectcentric_jax.metrics.component_tracks import summed_over_tracks
from objectcentric_jax.metrics.contingency import contingency, frame_contingency
from objectcentric_jax.metrics.covering import segmentation_covering
from objectcentric_jax.metrics.iou import mean_iou
from objectcentric_jax.scene import Scene

Array = jax.Array


def predicted_labels(masks: Array) -> Array:
  """The component that explains each pixel: the largest mask, the first of equal ones.

  Args:
    masks: [B, (T), K, H, W, 1], or their logarithms.

  Returns:
    [B, (T), H, W, 1] int32 in [0, K).
  """
  return jnp.argmax(masks, axis=-4).astype(jnp.int32)


def segmentation_metrics(
  scene: Scene,
  batch: Mapping[str, Array],
  labels: int,
  background_ids: tuple[int, ...] = (0,),
) -> dict[str, Array]:
  """Adjusted Rand index, segmentation covering and mean IoU of an example.

  The first two are as published for GENESIS-V2.

  A video is scored as one volume of pixels, so a component must stay with its object to score; the
  components of boxes are followed by their identities.

  Names: `ari` over all pixels, where ignored ones are one more true cluster; `fg_ari` over the
  pixels of foreground labels; `msc` and `sc`, the mean and the size-weighted covering of all true
  segments; `fg_msc` and `fg_sc`, those of the foreground segments alone (pixels of predicted
  segments on the background still count against them); `miou` and `fg_miou` the same with predicted
  segments that are matched one to one. Without a foreground label `fg_ari` is 1 and the other
  foreground scores are 0. The same for each of `scene.other_masks` is named with its name after a
  slash: `fg_ari/attention`.

  Args:
    scene: has `masks` [B, (T), K, H, W, 1].
    batch: has "segmentation" [B, (T), H, W, 1], integer in [0, labels); negative is ignored.
    labels: number of true labels, background included.
    background_ids: the true labels that are background, as the dataset declares them.

  Returns:
    name -> [B] float32. All are NaN for an example with a label that is not below `labels` and for
    one whose masks hold NaN.

  Raises:
    InputError: the scene has no masks, the batch no segmentation, or one of another size or with
      fractions, or a background id is not a label.
  """
  check_segmentation(scene, batch, labels, background_ids)
  truth = jnp.asarray(batch["segmentation"], jnp.int32)  # unsigned ones could not be compared to -1
  foreground = ~np.isin(np.arange(labels), background_ids)

  def scores(scene):
    masks, count = scene.masks, scene.masks.shape[-4]
    # Row 0 holds the ignored pixels, row 1 + i those of label i.
    found = jnp.maximum(truth, -1) + 1, predicted_labels(masks)
    if truth.ndim == 5:
      table = summed_over_tracks(frame_contingency(*found, labels + 1, count), scene)
    else:
      table = contingency(*found, labels + 1, count)  # [B, labels + 1, K]
    known = table[:, 1:]
    mean, scaled = segmentation_covering(known, np.ones(labels, bool))
    foreground_mean, foreground_scaled = segmentation_covering(known, foreground)
    per_pixel = tuple(range(1, truth.ndim))
    valid = (truth < labels).all(per_pixel) & ~jnp.isnan(masks).any((*per_pixel, truth.ndim))
    values = {
      "ari": adjusted_rand_index(table),
      "fg_ari": adjusted_rand_index(jnp.where(foreground[None, :, None], known, 0)),
      "msc": mean,
      "sc": scaled,
      "fg_msc": foreground_mean,
      "fg_sc": foreground_scaled,
      "miou": mean_iou(known, np.ones(labels, bool)),
      "fg_miou": mean_iou(known, foreground),
    }
    return {name: jnp.where(valid, value, jnp.nan) for name, value in values.items()}

  report = scores(scene)
  for suffix, masks in scene.other_masks.items():
    found = scores(Scene(image=None, masks=masks))
    report |= {f"{name}/{suffix}": value for name, value in found.items()}
  return report


def check_segmentation(
  scene: Scene, batch: Mapping[str, Array], labels: int, background_ids: tuple[int, ...]
):
  """Raises InputError unless masks and segmentation can be compared, see `segmentation_metrics`."""
  if scene.masks is None:
    raise InputError("segmentation metrics: this model has no masks; leave these metrics out")
  if "segmentation" not in batch:
    raise InputError(
      f"segmentation metrics: the batch has no 'segmentation', only {sorted(batch)}; "
      "choose a dataset with labels or leave these metrics out"
    )
  if not set(background_ids) <= set(range(labels)):
    raise InputError(
      f"background_ids={tuple(background_ids)}: not all are labels of a dataset with {labels} "
      f"labels; give ids from 0 to {labels - 1}"
    )
  found, dtype = batch["segmentation"].shape, batch["segmentation"].dtype
  if not jnp.issubdtype(dtype, jnp.integer):
    raise InputError(
      f"segmentation of type {dtype}: labels are integers; convert them in the input"
    )
  for name, masks in {"masks": scene.masks, **scene.other_masks}.items():
    expected = masks.shape[:-4] + masks.shape[-3:]
    if found != expected:
      raise InputError(
        f"segmentation of shape {found} cannot be compared with {name} of {expected}: "
        "give the dataset and the model the same image size"
      )
