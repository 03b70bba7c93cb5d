"""Scores of videos against scikit-learn and plain loops over objects and components."""

import jax
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from objectcentric_jax.metrics.contingency import contingency, frame_contingency
from objectcentric_jax.metrics.segmentation import segmentation_metrics
from objectcentric_jax.metrics.video import video_metrics
from objectcentric_jax.scene import Scene

BATCH, TIME, HEIGHT, WIDTH, LABELS, SLOTS = 2, 5, 6, 7, 4, 3


@pytest.fixture(scope="module")
def labelled():
  rng = np.random.default_rng(0)
  labels = rng.integers(0, LABELS, (BATCH, TIME, HEIGHT, WIDTH))
  labels[1, 2] = 0  # a frame without objects
  labels[labels == 3] = 0
  labels[0, 0, 0, 0] = -1
  components = np.where(rng.uniform(size=labels.shape) < 0.7, np.maximum(labels, 0) % SLOTS, 1)
  masks = np.moveaxis(np.eye(SLOTS, dtype=np.float32)[components], -1, 2)[..., None]
  scores = jax.jit(video_metrics, static_argnums=2)(
    Scene(image=None, masks=masks), {"segmentation": labels[..., None]}, LABELS
  )
  return labels, components, masks, jax.device_get(scores)


def best_overlap(labels, components):
  """Mean over objects of the best intersection over union, pixel sets of any shape."""
  found = []
  for object_ in set(labels[labels > 0]):
    mask = labels == object_
    known = labels >= 0
    overlaps = [
      (mask & (components == k)).sum() / (mask | (components == k) & known).sum()
      for k in range(SLOTS)
    ]
    found.append(max(overlaps))
  return np.mean(found)


def test_over_the_whole_video(labelled):
  labels, components, masks, scores = labelled
  expected = [best_overlap(*pair) for pair in zip(labels, components, strict=True)]
  np.testing.assert_allclose(scores["mbo"], expected, rtol=1e-6)
  scene = Scene(image=None, masks=masks)
  others = segmentation_metrics(scene, {"segmentation": labels[..., None]}, LABELS)
  np.testing.assert_array_equal(scores["mbo"], others["fg_msc"])
  for video in range(BATCH):
    shown = labels[video] > 0
    ari = adjusted_rand_score(labels[video][shown], components[video][shown])
    assert others["fg_ari"][video] == pytest.approx(ari, abs=1e-6)


def test_of_frames_that_show_an_object(labelled):
  labels, components, _, scores = labelled
  for video in range(BATCH):
    frames = [t for t in range(TIME) if (labels[video, t] > 0).any()]
    assert len(frames) == (TIME, TIME - 1)[video]
    pairs = [(labels[video, t], components[video, t]) for t in frames]
    overlap = np.mean([best_overlap(*pair) for pair in pairs])
    ari = np.mean([adjusted_rand_score(a[a > 0], b[a > 0]) for a, b in pairs])
    assert scores["frame_mbo"][video] == pytest.approx(overlap, rel=1e-6)
    assert scores["frame_fg_ari"][video] == pytest.approx(ari, abs=1e-6)


def test_a_component_that_changes_its_object():
  """Two objects are found in each frame, but exchange their components: half of each is right."""
  labels = np.zeros((1, 2, 2, 4), int)
  labels[..., :2], labels[..., 2:] = 1, 2
  components = labels.copy()
  components[:, 1] = 3 - labels[:, 1]
  masks = np.moveaxis(np.eye(3)[components], -1, 2)[..., None]
  scores = video_metrics(Scene(image=None, masks=masks), {"segmentation": labels[..., None]}, 3)
  assert scores["frame_mbo"] == scores["frame_fg_ari"] == 1.0
  assert scores["mbo"] == pytest.approx(4 / 12)


def test_without_objects_all_is_zero():
  labels = np.zeros((1, 2, 3, 3, 1), int)
  scene = Scene(image=None, masks=np.ones((1, 2, 1, 3, 3, 1)))
  scores = video_metrics(scene, {"segmentation": labels}, 3)
  assert {name: float(value[0]) for name, value in scores.items()} == {
    "mbo": 0.0,
    "frame_mbo": 0.0,
    "frame_fg_ari": 0.0,
  }


def test_tables_of_frames_add_up(labelled):
  labels, components, _, _ = labelled
  frames = frame_contingency(labels, components, LABELS, SLOTS)
  assert frames.shape == (BATCH, TIME, LABELS, SLOTS)
  np.testing.assert_array_equal(frames.sum(1), contingency(labels, components, LABELS, SLOTS))
