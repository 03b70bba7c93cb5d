"""How well masks agree with the labelled objects of videos: over all frames and in each."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.metrics.ari import adjusted_rand_index
from objectcentric_jax.metrics.component_tracks import summed_over_tracks
from objectcentric_jax.metrics.contingency import frame_contingency
from objectcentric_jax.metrics.covering import segmentation_covering
from objectcentric_jax.metrics.segmentation import check_segmentation, predicted_labels
from objectcentric_jax.scene import Scene

Array = jax.Array


def video_metrics(
  scene: Scene,
  batch: Mapping[str, Array],
  labels: int,
  background_ids: tuple[int, ...] = (0,),
) -> dict[str, Array]:
  """Best overlaps over whole videos, and what the scores would be of frames that are images.

  Names: `mbo`, the mean over true objects of the best intersection over union with a component, an
  object being all its pixels in all frames (the `fg_msc` of
  `objectcentric_jax.metrics.segmentation`, which also has the foreground ARI of whole videos, under
  the name it has for videos: Seitzer et al., 2023); `frame_mbo` and `frame_fg_ari`, means over the
  frames that show an object: for those a component may change its object between frames. 0 without
  an object.

  Args:
    scene: has `masks` [B, T, K, H, W, 1].
    batch: has "segmentation" [B, T, H, W, 1], integer in [0, labels); negative is ignored.
    labels: number of true labels, background included.
    background_ids: the true labels that are background.

  Returns:
    name -> [B] float32.

  Raises:
    InputError: see `objectcentric_jax.metrics.segmentation.segmentation_metrics`.
  """
  check_segmentation(scene, batch, labels, background_ids)
  foreground = ~np.isin(np.arange(labels), background_ids)
  truth = jnp.asarray(batch["segmentation"], jnp.int32)
  count = scene.masks.shape[-4]
  frames = frame_contingency(truth, predicted_labels(scene.masks), labels, count)  # [B, T, L, K]
  best, _ = segmentation_covering(summed_over_tracks(frames, scene), foreground)
  frame_best, _ = jax.vmap(lambda table: segmentation_covering(table, foreground))(frames)
  of_objects = jnp.where(foreground[:, None], frames, 0)
  agreement = jax.vmap(adjusted_rand_index)(of_objects)  # [B, T]
  shown = of_objects.any((-2, -1))

  def mean(values):
    return jnp.where(shown, values, 0).sum(1) / jnp.maximum(shown.sum(1), 1)

  return {"mbo": best, "frame_mbo": mean(frame_best), "frame_fg_ari": mean(agreement)}
