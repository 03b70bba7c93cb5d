"""What the masks of Loci-Segmented are scored by: the published scores, and corrected ones.

See `objectcentric_jax.metrics.hard_masks`. Published code: model/lightning/loci.py of
CognitiveModeling/Loci-Segmented.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.evaluation import SetMetric
from objectcentric_jax.metrics.hard_masks import (
  Split,
  clip_scores,
  frame_tables,
  matched_overlap,
  published_clip_scores,
  soft_overlap,
)
from objectcentric_jax.metrics.ordering import ordering_accuracy, overlaps
from objectcentric_jax.scene import Scene

Array = jax.Array

OBJECTS = 32  # true objects that are scored, at most, as published
PREDICTION = "prediction"  # name of the expected masks in `Scene.other_masks`


def sure_mask_metric(mutual_information: bool) -> SetMetric:
  """Scores of reconstructed and of predicted masks; nothing where a dataset has no labels.

  Names: those of `clip_scores` with fg_iou and fg_f1, the soft overlap of the foreground, and
  ordering, see `objectcentric_jax.metrics.ordering`, where objects are known as a whole, for
  reconstructions; with "prediction/" before them for predictions; and with "published/" before
  those as published. Published scores leave out the last frame of a video for reconstructions, and
  match predictions of the frame t + 1 with the objects of the frame t.
  """
  return SetMetric(_observe, lambda observed: _summarise(observed, mutual_information))


def _observe(scene: Scene, batch: Mapping[str, Array]) -> dict[str, Array]:
  if "segmentation" not in batch:
    return {}
  labels, masks, predicted = batch["segmentation"], scene.masks, scene.other_masks[PREDICTION]
  if labels.ndim == 4:  # images are videos of one frame
    labels, masks, predicted = (x[:, None] for x in (labels, masks, predicted))
  labels = labels.astype(jnp.int32)
  foreground = (labels > 0).astype(masks.dtype)
  count = OBJECTS + 1
  iou, f1 = soft_overlap(foreground, 1 - masks[:, :, -1])
  predicted_iou, predicted_f1 = soft_overlap(foreground, 1 - predicted[:, :, -1])
  more = _ordering(labels, batch, masks, predicted)
  if labels.shape[1] > 1:
    more["late_tables"] = frame_tables(labels[:, :-1], predicted[:, 1:], count)
  return {
    **more,
    "tables": frame_tables(labels, masks, count),
    "predicted_tables": frame_tables(labels, predicted, count),
    "overlap": jnp.stack([iou, f1], axis=-1),
    "predicted_overlap": jnp.stack([predicted_iou, predicted_f1], axis=-1),
  }


def _ordering(labels: Array, batch, masks: Array, predicted: Array) -> dict[str, Array]:
  """What the accuracy of the order of objects needs, where the batch has whole objects."""
  if "amodal_masks" not in batch:
    return {}
  amodal = batch["amodal_masks"]
  amodal = amodal if amodal.ndim == 6 else amodal[:, None]
  found = {
    f"{prefix}{name}": value
    for prefix, slots in (("", masks), ("predicted_", predicted))
    for name, value in overlaps(labels, amodal, slots[:, :, :-1]).items()
  }
  return found


def _ordering_score(observed, prefix: str, tables: np.ndarray, split: Split) -> dict[str, float]:
  """Mean over the frames in which objects overlap."""
  if "seen" not in observed:
    return {}
  matched = matched_overlap(tables.reshape(-1, *tables.shape[2:]), split).matched
  seen, claimed = (
    np.asarray(observed[f"{prefix}{name}"], np.float64) for name in ("seen", "claimed")
  )
  flat = lambda x: x.reshape(-1, *x.shape[2:])  # noqa: E731
  accuracy = ordering_accuracy(flat(seen), flat(claimed), matched[:, : seen.shape[-1]])
  known = accuracy[~np.isnan(accuracy)]
  return {"ordering": float(known.mean())} if len(known) else {}


def _summarise(observed: Mapping[str, np.ndarray], mutual_information: bool) -> dict[str, float]:
  if not observed:
    return {}
  tables, predicted = (
    np.asarray(observed[name], np.float64) for name in ("tables", "predicted_tables")
  )
  columns = np.arange(tables.shape[-1])
  split = Split(
    objects=np.arange(tables.shape[2]) > 0,
    slots=columns < len(columns) - 2,
    background=columns == len(columns) - 2,
  )
  is_video = "late_tables" in observed
  first = 1 if is_video else 0  # nothing is predicted of the first frame
  late = np.asarray(observed["late_tables"], np.float64) if is_video else predicted
  scored = slice(None, -1) if is_video else slice(None)
  information = mutual_information
  published = {
    "published/": published_clip_scores(tables[:, scored], tables[:, scored], split, information),
    "published/prediction/": published_clip_scores(predicted[:, first:], late, split, information),
  }
  corrected = {
    "": clip_scores(tables, split, information) | _ordering_score(observed, "", tables, split),
    "prediction/": clip_scores(predicted[:, first:], split, information)
    | _ordering_score(observed, "predicted_", predicted, split),
  }
  overlap, predicted_overlap = observed["overlap"], observed["predicted_overlap"][:, first:]
  soft = {
    "": overlap,
    "prediction/": predicted_overlap,
    "published/": overlap[:, scored],
    "published/prediction/": predicted_overlap,
  }
  scores = {}
  for prefix, values in (corrected | published).items():
    scores |= {prefix + name: value for name, value in values.items()}
    mean = soft[prefix].mean((0, 1), dtype=np.float64)
    scores |= {f"{prefix}fg_iou": float(mean[0]), f"{prefix}fg_f1": float(mean[1])}
  return scores
