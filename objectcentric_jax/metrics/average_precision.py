"""How well the boxes of a scene find labelled objects: average precision and counting.

As Lin et al. (ICLR 2020, arXiv 2001.02407) score them in their published code, after the 11-point
average precision of PASCAL VOC (Everingham et al., 2010). A frame of a video counts as an image.
"""

from collections.abc import Mapping

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.scene import Scene

Array = jax.Array

IOU_THRESHOLDS = tuple(float(x) for x in np.linspace(0.5, 0.95, 10))
RECALL_LEVELS = np.linspace(0.0, 1.0, 11)
PRESENT = 0.5  # a box is a detection if its presence is above


@flax.struct.dataclass
class Detections:
  """The detections of B images, or videos of T frames, and what they hit, from `match`.

  Attributes:
    confidence: [B, (T), N]; detected: [B, (T), N] bool: which of the boxes count.
    hits: [B, (T), I, N] bool: whether a detection finds an object, for each of I thresholds.
    objects: [B, (T)] number of true objects.
  """

  confidence: Array
  detected: Array
  hits: Array
  objects: Array


def corners(boxes: Array) -> Array:
  """Boxes [..., 4] of a scene (centre, height, width) as top, left, bottom, right."""
  centre, size = boxes[..., :2], boxes[..., 2:]
  return jnp.concatenate([centre - size / 2, centre + size / 2], axis=-1)


def intersection_over_union(boxes: Array, others: Array) -> Array:
  """[B, N, M] of boxes [B, N, 4] and [B, M, 4] given by top, left, bottom, right; 0 if empty."""

  def area(low, high):
    return jnp.prod(jnp.maximum(high - low, 0), axis=-1)

  one, other = boxes[:, :, None], others[:, None]
  low = jnp.maximum(one[..., :2], other[..., :2])
  high = jnp.minimum(one[..., 2:], other[..., 2:])
  shared = area(low, high)
  union = area(one[..., :2], one[..., 2:]) + area(other[..., :2], other[..., 2:]) - shared
  return jnp.where(union > 0, shared / jnp.where(union > 0, union, 1), 0)


def match(
  boxes: Array,
  confidence: Array,
  detected: Array,
  truth: Array,
  objects: Array,
  thresholds: tuple[float, ...] = IOU_THRESHOLDS,
) -> Detections:
  """Which detections find an object.

  Each looks at the one object it overlaps most, the first of equal ones. It hits if they overlap by
  more than the threshold and no detection of higher confidence hit that object before.

  Args:
    boxes: [B, N, 4] top, left, bottom, right.
    confidence: [B, N]; of equal ones the first comes first.
    detected: [B, N] bool: which boxes count.
    truth: [B, M, 4] likewise, of which the first `objects` [B] of an image are real.
    objects: see `truth`.
    thresholds: of the intersection over union.
  """
  real = jnp.arange(truth.shape[1])[None] < objects[:, None]  # [B, M]
  overlap = jnp.where(real[:, None], intersection_over_union(boxes, truth), -1.0)
  if truth.shape[1] == 0:
    best, largest = jnp.zeros(confidence.shape, jnp.int32), jnp.full(confidence.shape, -1.0)
  else:
    best, largest = overlap.argmax(-1), overlap.max(-1)  # [B, N]
  limits = jnp.asarray(thresholds, largest.dtype).reshape(1, -1, 1)
  close = detected[:, None] & (largest[:, None] > limits)  # [B, I, N]
  # rank[b, n]: how many boxes come before box n.
  order = jnp.argsort(-confidence, axis=-1, stable=True)
  rank = jnp.argsort(order, axis=-1)
  rivals = (rank[:, None, :] < rank[:, :, None]) & (best[:, None, :] == best[:, :, None])
  taken = (rivals[:, None] & close[:, :, None, :]).any(-1)
  return Detections(confidence, detected, close & ~taken, objects)


def average_precision(detections: Detections) -> np.ndarray:
  """For each threshold the mean over 11 recall levels of the best precision at or above: [I].

  Over all images or frames of the set together. 0 without any detection or any object.
  """
  boxes = detections.confidence.shape[-1]
  confidence, detected = (
    np.asarray(array).reshape(-1, boxes) for array in (detections.confidence, detections.detected)
  )
  hits = np.asarray(detections.hits).reshape(-1, *detections.hits.shape[-2:])
  hits = np.moveaxis(hits, 1, 0)  # [I, B, N]
  objects = int(np.asarray(detections.objects).sum())
  if not objects or not detected.any():
    return np.zeros(len(hits))
  # Within an image by confidence, then all images: equal confidences keep this order.
  order = np.argsort(-confidence, axis=1, kind="stable")
  sort = lambda values: np.take_along_axis(values, order, axis=1)  # noqa: E731
  kept = sort(detected)
  ranking = np.argsort(-sort(confidence)[kept], kind="stable")
  count = np.arange(1, len(ranking) + 1)
  scores = []
  for hit in hits:
    found = np.cumsum(sort(hit)[kept][ranking])
    precision, recall = found / count, found / objects
    scores.append(np.mean([precision[recall >= r].max(initial=0.0) for r in RECALL_LEVELS]))
  return np.array(scores)


def detections(
  scene: Scene,
  batch: Mapping[str, Array],
  thresholds: tuple[float, ...] = IOU_THRESHOLDS,
) -> Detections:
  """The detections in scenes and what they hit.

  Args:
    scene: has `boxes` [B, (T), N, 4] and `presence` [B, (T), N].
    batch: has "bboxes" [B, M, 4] and "num_objects" [B]; of videos "bboxes" [B, T, M, 4], where an
      object without area is not in the frame.
    thresholds: of the intersection over union.

  Raises:
    InputError: the scene has no boxes, or the batch none.
  """
  check_boxes(scene, batch)
  found = corners(scene.boxes), scene.presence, scene.presence > PRESENT
  if scene.boxes.ndim == 3:
    return match(*found, batch["bboxes"], batch["num_objects"], thresholds)
  real = real_boxes(batch["bboxes"])
  first = jnp.argsort(~real, axis=-1, stable=True)
  truth = jnp.take_along_axis(batch["bboxes"], first[..., None], axis=-2)
  frames = jax.vmap(lambda *arrays: match(*arrays, thresholds))
  return frames(*found, truth, real.sum(-1))


def detection_scores(
  detections: Detections, thresholds: tuple[float, ...] = IOU_THRESHOLDS
) -> dict[str, float]:
  """Scores of the detections in a whole set, of numpy arrays.

  Names: `ap`, the mean average precision over the thresholds, and `ap_50` to `ap_95`, each by its
  threshold in percent; `count_accuracy`, the share of images with as many detections as objects;
  `count_error`, the mean over images of the difference as a share of the objects; `perfect`,
  `overcount` and `undercount`, how many images have as many, more and fewer detections than
  objects. An image without objects has the difference to one object as its count error, where the
  published definition divides by zero.

  Args:
    detections: of all images, from `detections`.
    thresholds: that they were matched with.
  """
  precision = average_precision(detections)
  objects = np.asarray(detections.objects, np.int64)
  difference = np.asarray(detections.detected).sum(-1) - objects
  scores = {
    "ap": precision.mean(),
    **{f"ap_{round(100 * t)}": ap for t, ap in zip(thresholds, precision, strict=True)},
    "count_accuracy": (difference == 0).mean(),
    "count_error": (np.abs(difference) / np.maximum(objects, 1)).mean(),
    "perfect": (difference == 0).sum(),
    "overcount": (difference > 0).sum(),
    "undercount": (difference < 0).sum(),
  }
  return {name: float(score) for name, score in scores.items()}


def real_boxes(boxes: Array) -> Array:
  """[...] bool: which of the true boxes [..., 4] have an area; the others fill up or are unseen."""
  return (boxes[..., 2:] > boxes[..., :2]).all(-1)


def check_boxes(scene: Scene, batch: Mapping[str, Array]):
  """Raises InputError unless the scene has boxes and the batch true ones of as many axes."""
  if scene.boxes is None or scene.presence is None:
    raise InputError("detection metrics: this model has no boxes; leave these metrics out")
  for name in ("bboxes", "num_objects") if scene.boxes.ndim == 3 else ("bboxes",):
    if name not in batch:
      raise InputError(
        f"detection metrics: the batch has no {name!r}, only {sorted(batch)}; "
        "choose a dataset with boxes or leave these metrics out"
      )
  found, truth = scene.boxes.shape[:-2], batch["bboxes"].shape[:-2]
  if found != truth:
    raise InputError(
      f"detection metrics: boxes of shape {scene.boxes.shape} cannot be compared with true ones "
      f"{batch['bboxes'].shape}; give model and data the same number of frames"
    )
