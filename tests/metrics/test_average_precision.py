"""Average precision and counting against a plain loop over images, detections and objects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.average_precision import (
  IOU_THRESHOLDS,
  average_precision,
  corners,
  detection_scores,
  detections,
  intersection_over_union,
  match,
)
from objectcentric_jax.scene import Scene

BATCH, BOXES, OBJECTS = 7, 9, 5


def overlap(a, b):
  """Intersection over union of two boxes: top, left, bottom, right."""
  height = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
  width = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
  union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - height * width
  return height * width / union


def slow_average_precision(predictions, truths, threshold):
  """`predictions`: a list an image of (confidence, box); `truths`: a list an image of boxes."""
  outcomes = []
  for predicted, truth in zip(predictions, truths, strict=True):
    used = set()
    for confidence, box in sorted(predicted, key=lambda p: -p[0]):
      overlaps = [overlap(box, other) for other in truth]
      best = int(np.argmax(overlaps)) if truth else -1
      hit = bool(truth) and overlaps[best] > threshold and best not in used
      if hit:
        used.add(best)
      outcomes.append((confidence, hit))
  outcomes.sort(key=lambda o: -o[0])
  total, found, points = sum(map(len, truths)), 0, []
  for i, (_, hit) in enumerate(outcomes):
    found += hit
    points.append((found / total, found / (i + 1)))
  levels = [
    max((p for r, p in points if r >= level), default=0.0) for level in np.linspace(0, 1, 11)
  ]
  return sum(levels) / 11


@pytest.fixture(scope="module")
def labelled():
  """Scene boxes near the true ones, some doubled, some astray; image 2 has no objects."""
  rng = np.random.default_rng(0)
  objects = rng.integers(1, OBJECTS + 1, BATCH)
  objects[2] = 0
  centre, size = (
    rng.uniform(0.2, 0.8, (BATCH, OBJECTS, 2)),
    rng.uniform(0.1, 0.3, (BATCH, OBJECTS, 2)),
  )
  truth = np.concatenate([centre, size], -1)
  near = truth[:, rng.integers(0, OBJECTS, BOXES)] + rng.normal(0, 0.01, (BATCH, BOXES, 4))
  scene = Scene(
    image=None,
    boxes=near.astype(np.float32),
    presence=rng.uniform(0.2, 1.0, (BATCH, BOXES)).astype(np.float32),
  )
  truth = np.asarray(corners(jnp.asarray(truth, jnp.float32)))
  return scene, {"bboxes": truth, "num_objects": objects.astype(np.int32)}


def lists(scene, batch):
  boxes = np.asarray(corners(scene.boxes))
  predicted = [
    [(c, b) for c, b in zip(*image, strict=True) if c > 0.5]
    for image in zip(scene.presence, boxes, strict=True)
  ]
  counts = zip(batch["bboxes"], batch["num_objects"], strict=True)
  return predicted, [list(boxes[:n]) for boxes, n in counts]


def test_equal_to_the_slow_one(labelled):
  found = average_precision(jax.jit(detections)(*labelled))
  expected = [slow_average_precision(*lists(*labelled), limit) for limit in IOU_THRESHOLDS]
  assert 0.1 < expected[0] < 0.95 and expected[-1] < expected[0]
  np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_order_of_boxes_and_images_does_not_matter(labelled):
  scene, batch = labelled
  rng = np.random.default_rng(1)
  boxes, images = rng.permutation(BOXES), rng.permutation(BATCH)
  shuffled = Scene(
    image=None, boxes=scene.boxes[images][:, boxes], presence=scene.presence[images][:, boxes]
  )
  other = detections(shuffled, {name: value[images] for name, value in batch.items()})
  np.testing.assert_allclose(average_precision(other), average_precision(detections(*labelled)))


def test_scores_of_a_set(labelled):
  scene, batch = labelled
  kept = np.arange(BOXES) < np.array([[3], [2], [1], [1], [0], [9], [4]])  # of each image's boxes
  labelled = scene.replace(presence=np.where(kept, scene.presence, 0.0)), batch
  found = detection_scores(jax.device_get(jax.jit(detections)(*labelled)))
  predicted, truth = lists(*labelled)
  precisions = [slow_average_precision(predicted, truth, limit) for limit in IOU_THRESHOLDS]
  assert found["ap"] == pytest.approx(np.mean(precisions))
  assert (found["ap_50"], found["ap_95"]) == (precisions[0], precisions[-1])
  differences = np.array([len(p) - len(t) for p, t in zip(predicted, truth, strict=True)])
  relative = [abs(d) / max(len(t), 1) for d, t in zip(differences, truth, strict=True)]
  assert found["perfect"] == (differences == 0).sum() and found["perfect"] > 0
  assert found["overcount"] == (differences > 0).sum() and found["overcount"] > 0
  assert found["undercount"] == BATCH - found["perfect"] - found["overcount"]
  assert found["count_accuracy"] == found["perfect"] / BATCH
  assert found["count_error"] == pytest.approx(np.mean(relative))
  assert len(found) == 16 and {type(value) for value in found.values()} == {float}


def one_image(boxes, confidence, truth, thresholds):
  boxes, truth = (np.asarray(x, np.float32).reshape(1, -1, 4) for x in (boxes, truth))
  confidence, objects = np.asarray([confidence], np.float32), np.array([truth.shape[1]])
  detected = np.ones(confidence.shape, bool)
  found = match(boxes, confidence, detected, truth, objects, thresholds)
  return average_precision(found).tolist()


def test_the_overlap_must_exceed_the_threshold():
  assert one_image([[0, 0, 1, 0.5]], [0.9], [[0, 0, 1, 1]], (0.25, 0.5)) == [1.0, 0.0]


def test_an_object_is_found_once_and_by_the_surest():
  """The second finds a used object; it is not given another one, which it overlaps less."""
  truth = [[0, 0, 0.4, 0.4], [0.1, 0, 0.5, 0.4]]
  boxes = [[0.02, 0, 0.42, 0.4], [0, 0, 0.4, 0.4]]
  half = 6 / 11  # recall 0.5 at precision 1
  assert one_image(boxes, [0.6, 0.9], truth, (0.5,)) == [pytest.approx(half)]
  assert one_image(boxes[:1], [0.6], truth, (0.5,)) == [pytest.approx(half)]


def test_nothing_found_and_nothing_there():
  assert one_image([[0, 0, 1, 1]], [0.9], np.zeros((0, 4)), (0.5,)) == [0.0]
  scene = Scene(image=None, boxes=np.ones((2, 3, 4)), presence=np.zeros((2, 3)))
  batch = {"bboxes": np.zeros((2, 4, 4)), "num_objects": np.array([4, 4])}
  assert average_precision(detections(scene, batch)).tolist() == [0.0] * 10


def test_boxes_without_area_overlap_nothing():
  empty = jnp.array([[[0.2, 0.2, 0.2, 0.6]]])
  np.testing.assert_array_equal(intersection_over_union(empty, empty), 0)


def test_what_is_missing_is_named(labelled):
  scene, batch = labelled
  with pytest.raises(InputError, match="has no boxes"):
    detections(scene.replace(boxes=None), batch)
  with pytest.raises(InputError, match="no 'num_objects'"):
    detections(scene, {"bboxes": batch["bboxes"]})
