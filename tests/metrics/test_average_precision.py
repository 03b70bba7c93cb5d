"""Average precision and counting against a plain loop over images, detections and objects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.average_precision import (
  IOU_THRESHOLDS,
  RECALL_LEVELS,
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


# Videos


@pytest.fixture(scope="module")
def film():
  """Boxes near objects that do not overlap; objects are hidden now and then, whichever they are."""
  rng = np.random.default_rng(5)
  batch, time, objects, boxes = 2, 3, 4, 8
  centre = (np.arange(objects)[:, None] + 0.5) / objects * np.ones(2)
  truth = np.concatenate([centre, np.full((objects, 2), 0.2)], -1)
  follows = rng.integers(0, objects, (batch, time, boxes))
  near = truth[follows] + rng.normal(0, 0.02, (batch, time, boxes, 4))
  scene = Scene(
    image=None,
    boxes=near.astype(np.float32),
    presence=rng.uniform(0.3, 1.0, (batch, time, boxes)).astype(np.float32),
  )
  shown = rng.uniform(size=(batch, time, objects, 1)) < 0.7
  assert not shown.all() and shown[..., -1, :].any()
  truth = np.asarray(corners(jnp.asarray(truth, jnp.float32)))
  return scene, {"bboxes": np.where(shown, truth, 0)}


def test_a_frame_of_a_video_counts_as_an_image(film):
  scene, batch = film
  predicted, truths = [], []
  for place in np.ndindex(2, 3):
    real = batch["bboxes"][place][:, 2] > 0
    truths.append(list(batch["bboxes"][place][real]))
    pairs = zip(scene.presence[place], np.asarray(corners(scene.boxes[place])), strict=True)
    predicted.append([(c, b) for c, b in pairs if c > 0.5])
  found = average_precision(jax.jit(detections)(scene, batch))
  expected = [slow_average_precision(predicted, truths, limit) for limit in IOU_THRESHOLDS]
  assert 0.1 < expected[0] < 1
  np.testing.assert_allclose(found, expected, rtol=1e-12)
  scores = detection_scores(jax.device_get(detections(scene, batch)))
  difference = [len(p) - len(t) for p, t in zip(predicted, truths, strict=True)]
  errors = [abs(d) / max(len(t), 1) for d, t in zip(difference, truths, strict=True)]
  assert scores["count_error"] == pytest.approx(np.mean(errors)) and min(difference) < 0
  assert scores["overcount"] == (np.array(difference) > 0).sum()


def test_as_the_coco_evaluation_with_eleven_recall_levels(film, capsys):
  """Objects that do not overlap are those for which its way of matching is the same."""
  scene, batch = film

  def pixels(box):  # left, top, width, height
    return [float(x) for x in (box[1], box[0], box[3] - box[1], box[2] - box[0])]

  truths, found, images = [], [], []
  for image, place in enumerate(np.ndindex(2, 3), start=1):
    images.append({"id": image})
    for box in batch["bboxes"][place][batch["bboxes"][place][:, 2] > 0]:
      side = pixels(box)
      truths.append({"id": len(truths) + 1, "image_id": image, "category_id": 1, "bbox": side})
      truths[-1] |= {"area": side[2] * side[3], "iscrowd": 0}
    for box, confidence in zip(
      np.asarray(corners(scene.boxes[place])), scene.presence[place], strict=True
    ):
      if confidence > 0.5:
        found.append({"image_id": image, "category_id": 1, "bbox": pixels(box)})
        found[-1]["score"] = float(confidence)
  coco = COCO()
  coco.dataset = {"images": images, "annotations": truths, "categories": [{"id": 1}]}
  coco.createIndex()
  evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
  evaluation.params.recThrs = RECALL_LEVELS
  evaluation.params.iouThrs = np.array(IOU_THRESHOLDS)
  evaluation.evaluate()
  evaluation.accumulate()
  capsys.readouterr()  # it prints
  precision = evaluation.eval["precision"][:, :, 0, 0, -1]  # [I, recall levels]
  expected = np.where(precision < 0, 0, precision).mean(1)
  np.testing.assert_allclose(average_precision(detections(scene, batch)), expected, rtol=1e-6)


def test_overlaps_as_pycocotools(film):
  scene, batch = film
  ours = np.asarray(corners(scene.boxes[0])), batch["bboxes"][0]

  def sides(boxes):
    boxes = boxes.astype(np.float64)
    return np.concatenate([boxes[:, 1::-1], boxes[:, 3:1:-1] - boxes[:, 1::-1]], 1)

  found = np.asarray(intersection_over_union(*map(jnp.asarray, ours)))
  for t in range(3):
    expected = mask.iou(sides(ours[0][t]), sides(ours[1][t]), [0] * 4)
    np.testing.assert_allclose(found[t], expected, atol=1e-6)
  assert found.max() > 0.5


def test_frames_must_be_as_many(film):
  scene, batch = film
  with pytest.raises(InputError, match="same number of frames"):
    detections(scene, {"bboxes": batch["bboxes"][:, :2]})
