"""Scores of masks that must be sure of a pixel to count: matched overlap, pair and count scores.

As in the evaluation of Loci-Segmented (Traub et al., arXiv 2310.10410; model/lightning/loci.py of
CognitiveModeling/Loci-Segmented), where its definitions are called "published", and as they should
be where those differ. All come from one table for each frame: how many pixels each true object
shares with each mask above a threshold, and with none of them.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.losses.assignment import assign
from objectcentric_jax.metrics.ari import adjusted_rand_index
from objectcentric_jax.metrics.contingency import contingency
from objectcentric_jax.metrics.mutual_information import adjusted_mutual_information

Array = jax.Array

THRESHOLD = 0.8
EPSILON = 1e-6  # in denominators, as published


def sure_labels(masks: Array, threshold: float = THRESHOLD) -> Array:
  """The mask that is sure of each pixel, K where none is.

  Args:
    masks: [B, T, K, H, W, 1] that sum to at most one over K.
    threshold: at least 0.5, so that no two can be sure.

  Returns:
    [B, T, H, W, 1] int32 in [0, K].
  """
  best = jnp.argmax(masks, axis=-4).astype(jnp.int32)
  return jnp.where(masks.max(-4) > threshold, best, masks.shape[-4])


def frame_tables(labels: Array, masks: Array, count: int, threshold: float = THRESHOLD) -> Array:
  """Pixels that true labels share with sure masks, and with no mask in the last column.

  Args:
    labels: [B, T, H, W, 1] integer in [0, count).
    masks: [B, T, K, H, W, 1].

  Returns:
    [B, T, count, K + 1] float32.
  """
  batch, frames = labels.shape[:2]
  sure = sure_labels(masks, threshold)
  merge = lambda x: x.reshape(batch * frames, *x.shape[2:])  # noqa: E731
  found = contingency(merge(labels), merge(sure), count, masks.shape[-4] + 1)
  return found.reshape(batch, frames, count, -1)


def soft_overlap(foreground: Array, masks: Array) -> tuple[Array, Array]:
  """Intersection over union and F1 of all that is not background, [B, T] each.

  Args:
    foreground: [B, T, H, W, 1] true one, zeros and ones.
    masks: [B, T, H, W, 1] share of each pixel that is given to the foreground.
  """
  pixels = (2, 3, 4)
  shared = (foreground * masks).sum(pixels)
  union = jnp.maximum(foreground, masks).sum(pixels)
  return shared / (union + EPSILON), 2 * shared / ((foreground + masks).sum(pixels) + EPSILON)


class Split(NamedTuple):
  """Which parts of a table are what, as boolean arrays.

  Attributes:
    objects: [labels] true labels of objects; the others are background.
    slots: [K + 1] columns of masks of objects.
    background: [K + 1] columns of masks of the background. The last column belongs to neither.
  """

  objects: np.ndarray
  slots: np.ndarray
  background: np.ndarray


class Matched(NamedTuple):
  """Overlaps of objects with the masks they are matched to, of N tables.

  Attributes:
    iou, f1: [N] sums over matched pairs.
    objects: [N] true objects.
    pairs: [N] matched pairs that share a pixel.
    matched: [N, objects, masks of objects] ones where matched.
  """

  iou: np.ndarray
  f1: np.ndarray
  objects: np.ndarray
  pairs: np.ndarray
  matched: np.ndarray


def matched_overlap(tables: np.ndarray, split: Split) -> Matched:
  """Overlaps of true objects with the masks they are matched to, for the greatest sum of IoU.

  Args:
    tables: [N, labels, K + 1].
  """
  shared = tables[:, split.objects][:, :, split.slots]  # [N, M, O]
  of_objects = tables[:, split.objects].sum(2)[:, :, None]
  of_masks = tables[:, :, split.slots].sum(1)[:, None, :]
  iou = shared / (of_objects + of_masks - shared + EPSILON)
  f1 = 2 * shared / (of_objects + of_masks + EPSILON)
  pairs = _match(iou)
  return Matched(
    iou=(iou * pairs).sum((1, 2)),
    f1=(f1 * pairs).sum((1, 2)),
    objects=(of_objects[..., 0] > 0).sum(1),
    pairs=((shared > 0) * pairs).sum((1, 2)),
    matched=pairs,
  )


@functools.cache
def _compiled_assign():
  return jax.jit(assign)


def _match(gain: np.ndarray) -> np.ndarray:
  """Ones [N, M, O] where row and column are matched, for the greatest sum of `gain` in [0, 1]."""
  if gain.shape[1] > gain.shape[2]:
    return _match(gain.swapaxes(1, 2)).swapaxes(1, 2)
  columns = np.asarray(_compiled_assign()(1 - gain))
  return (columns[..., None] == np.arange(gain.shape[2])).astype(gain.dtype)


def pair_agreement(tables: np.ndarray) -> np.ndarray:
  """The published rand index [N] of tables [N, clusters, masks + 1], 1 where nothing is to say.

  Pixels of no mask (the last column) count as pixels but not in any cluster, on either side.
  """
  found, total = tables[..., :-1], tables.sum((1, 2))
  pairs = lambda sizes: sizes * (sizes - 1)  # noqa: E731
  together = pairs(found).sum((1, 2))
  of_masks, of_truth = pairs(found.sum(1)).sum(1), pairs(found.sum(2)).sum(1)
  with np.errstate(divide="ignore", invalid="ignore"):
    chance = of_masks * of_truth / pairs(total)
    score = (together - chance) / ((of_masks + of_truth) / 2 - chance)
  degenerate = (pairs(total) == 0) | ((of_masks + of_truth) / 2 == chance)
  return np.where(degenerate, 1.0, score)


def published_agreement(tables: np.ndarray, split: Split) -> dict[str, np.ndarray]:
  """The published rand index [N] over all pixels ("ari") and of objects alone ("fg_ari")."""
  objects = _only(tables[:, split.objects], split.slots)
  return {"fg_ari": pair_agreement(objects), "ari": pair_agreement(tables)}


def rand_index(tables: np.ndarray) -> np.ndarray:
  """Adjusted rand index [N] of tables [N, clusters, masks + 1]: no mask is one more cluster."""
  return np.asarray(adjusted_rand_index(jnp.asarray(tables, jnp.float32)), np.float64)


def information(tables: np.ndarray) -> np.ndarray:
  """Adjusted mutual information [N] of tables [N, clusters, masks + 1] over all their pixels."""
  return np.asarray([adjusted_mutual_information(table) for table in tables])


def published_information(tables: np.ndarray, split: Split, foreground: bool) -> np.ndarray:
  """Adjusted mutual information [N] where some mask is sure, as published.

  With `foreground` masks of the background are none, and the pixels of no object are taken for
  those of the first.
  """
  if not foreground:
    return information(tables[:, :, split.slots | split.background])
  objects = tables[:, split.objects][:, :, split.slots].copy()
  objects[:, 0] += tables[:, ~split.objects][:, :, split.slots].sum(1)
  return information(objects)


def counted(tables: np.ndarray, split: Split) -> np.ndarray:
  """Whether as many masks of objects are sure of a pixel as there are objects, [N] in {0, 1}."""
  masks = (tables[:, :, split.slots].sum(1) > 0).sum(1)
  return (masks == (tables[:, split.objects].sum(2) > 0).sum(1)).astype(np.float64)


def clip_scores(tables: np.ndarray, split: Split, with_information: bool) -> dict[str, float]:
  """Scores of tables [N, T, labels, K + 1] of N clips.

  iou, f1: mean over true objects of all frames, those without a match at 0. iou_matched: mean over
  matched pairs that share a pixel. fg_ari_frames, ari_frames: means over frames; fg_ari_clips,
  ari_clips: with all frames of a clip side by side, so that a mask must stay with its object.
  fg_ami, ami: likewise adjusted mutual information of frames. counting: how often the number of
  objects is right. fg_ means pixels of true objects.
  """
  frames = tables.reshape(-1, *tables.shape[2:])
  clips = tables.sum(1)
  overlap = matched_overlap(frames, split)
  scores = {
    **_overlap_scores(overlap),
    "iou_matched": overlap.iou.sum() / max(overlap.pairs.sum(), 1),
    "fg_ari_frames": rand_index(frames[:, split.objects]).mean(),
    "ari_frames": rand_index(frames).mean(),
    "fg_ari_clips": rand_index(clips[:, split.objects]).mean(),
    "ari_clips": rand_index(clips).mean(),
    "counting": counted(frames, split).mean(),
  }
  if with_information:
    scores["fg_ami"] = information(frames[:, split.objects]).mean()
    scores["ami"] = information(frames).mean()
  return {name: float(value) for name, value in scores.items()}


def published_clip_scores(
  tables: np.ndarray, matched_tables: np.ndarray, split: Split, with_information: bool
) -> dict[str, float]:
  """The scores of `clip_scores` as published, where pixels of no mask are in no cluster.

  Args:
    tables: [N, T, labels, K + 1].
    matched_tables: [N, T', labels, K + 1] that matched overlap and the scores of clips are taken
      from: published for predictions are those with the frame before.
  """
  frames = tables.reshape(-1, *tables.shape[2:])
  clips = matched_tables.sum(1)
  overlap = matched_overlap(matched_tables.reshape(-1, *tables.shape[2:]), split)
  agreement = {"frames": published_agreement(frames, split)}
  agreement["clips"] = published_agreement(clips, split)
  scores = {
    **_overlap_scores(overlap),
    **{f"{n}_{of}": v.mean() for of, found in agreement.items() for n, v in found.items()},
    "counting": counted(frames, split).mean(),
  }
  if with_information:
    scores["fg_ami"] = published_information(frames, split, True).mean()
    scores["ami"] = published_information(frames, split, False).mean()
  return {name: float(value) for name, value in scores.items()}


def _overlap_scores(overlap: Matched) -> Mapping[str, float]:
  objects = max(overlap.objects.sum(), 1)
  return {"iou": overlap.iou.sum() / objects, "f1": overlap.f1.sum() / objects}


def _only(tables: np.ndarray, columns: np.ndarray) -> np.ndarray:
  """Tables [N, rows, K + 1] in which all columns but these, [K + 1] bool, are added to the last."""
  kept = tables[..., columns]
  return np.concatenate([kept, tables[..., ~columns].sum(-1, keepdims=True)], axis=-1)
