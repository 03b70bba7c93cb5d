"""Scores of tracks against hand-made videos, other libraries, and a plain matching."""

import itertools
import sys

import jax
import motmetrics
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.tracking import (
  Tracks,
  box_tracks,
  mask_tracks,
  tracking_scores,
)
from objectcentric_jax.scene import Scene
from tests.metrics.test_average_precision import overlap

FRAMES = 10


def follow(objects, found, identity):
  """Scores of one video in which thing n lies exactly on object n; lists by frame, then number."""
  objects, found = np.asarray(objects, bool), np.asarray(found, bool)
  identity = np.asarray(identity)
  shared = np.eye(objects.shape[1], found.shape[1])[None].repeat(len(objects), 0)
  return tracking_scores(Tracks(shared[None], objects[None], found[None], identity[None]))


def test_perfect_tracks():
  there = np.ones((FRAMES, 2))
  scores = follow(there, there, np.tile([7, 3], (FRAMES, 1)))
  assert scores == {
    "mota": 1.0,
    "motp": 1.0,
    "idf1": 1.0,
    "id_switches": 0.0,
    "mostly_tracked": 1.0,
    "partially_tracked": 0.0,
    "mostly_lost": 0.0,
    "miss_rate": 0.0,
    "false_positive_rate": 0.0,
    "true_tracks": 2.0,
  }


def test_an_object_found_under_another_name_every_frame():
  """All is found, and nothing followed."""
  there = np.ones((FRAMES, 1))
  scores = follow(there, there, np.arange(FRAMES)[:, None])
  assert scores["id_switches"] == FRAMES - 1 and scores["mostly_tracked"] == 1.0
  assert scores["mota"] == pytest.approx(1 - (FRAMES - 1) / FRAMES)
  # One of ten identities is the object's: 1 true positive, 9 false ones either way.
  assert scores["idf1"] == pytest.approx(2 / (2 + 9 + 9))


def test_two_objects_exchange_their_names():
  there = np.ones((FRAMES, 2))
  identity = np.array([[1, 2]] * 7 + [[2, 1]] * 3)
  scores = follow(there, there, identity)
  assert scores["id_switches"] == 2 and scores["idf1"] == pytest.approx(0.7)
  assert scores["mota"] == pytest.approx(1 - 2 / 20)


def test_misses_and_false_positives():
  """One object is found in 9 frames, one in 5, one in 1; a thing without object is in 4."""
  objects = np.ones((FRAMES, 3))
  found = np.zeros((FRAMES, 4))
  for number, count in enumerate((9, 5, 1, 4)):
    found[:count, number] = 1
  scores = follow(objects, found, np.tile(np.arange(4), (FRAMES, 1)))
  assert scores["miss_rate"] == pytest.approx(15 / 30)
  assert scores["false_positive_rate"] == pytest.approx(4 / 30)
  assert scores["mota"] == pytest.approx(1 - 19 / 30)
  kinds = ("mostly_tracked", "partially_tracked", "mostly_lost")
  assert [scores[kind] for kind in kinds] == pytest.approx([1 / 3] * 3)


def film(rng, videos=3, frames=6, objects=4, boxes=7):
  """Objects that move and are sometimes hidden, and boxes that follow some of them."""
  centre = rng.uniform(0.2, 0.8, (videos, 1, objects, 2))
  centre = centre + rng.normal(0, 0.02, (videos, frames, objects, 2)).cumsum(1)
  size = rng.uniform(0.1, 0.3, (videos, 1, objects, 2)).repeat(frames, 1)
  truth = np.concatenate([centre - size / 2, centre + size / 2], -1)
  truth[rng.uniform(size=truth.shape[:3]) < 0.15] = 0
  follows = rng.integers(0, objects, (videos, boxes))
  number = np.arange(videos)[:, None, None], np.arange(frames)[:, None], follows[:, None]
  found = np.concatenate([centre, size], -1)[number]
  scene = Scene(
    image=None,
    boxes=(found + rng.normal(0, 0.015, found.shape)).astype(np.float32),
    presence=rng.uniform(0.2, 1, found.shape[:3]).astype(np.float32),
    identity=rng.permuted(np.tile(np.arange(boxes), (videos, frames, 1)), axis=2),
  )
  return scene, {"bboxes": truth.astype(np.float32)}


def frame(scene, batch, video, t):
  """True boxes and those found in a frame, as top, left, bottom, right, and who they are."""
  truth = batch["bboxes"][video, t].astype(float)
  real = (truth[:, 2:] > truth[:, :2]).all(-1)
  seen = scene.presence[video, t] > 0.5
  centre, size = np.split(scene.boxes[video, t][seen].astype(float), 2, 1)
  found = np.concatenate([centre - size / 2, centre + size / 2], 1)
  overlaps = np.array([[overlap(a, b) for b in found] for a in truth[real]])
  return overlaps, np.flatnonzero(real), scene.identity[video, t][seen]


def by_the_library_alone(scene, batch, first=0):
  """MOTA, MOTP, IDF1 and switches by motmetrics of overlaps computed box by box."""
  events = []
  for video in range(len(scene.boxes)):
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for t in range(first, scene.boxes.shape[1]):
      overlaps, objects, identities = frame(scene, batch, video, t)
      distance = np.where(overlaps >= 0.5, 1 - overlaps, np.nan)
      accumulator.update(objects, identities, distance)
    events.append(accumulator)
  names = ["mota", "motp", "idf1", "num_switches", "num_misses", "num_objects"]
  table = motmetrics.metrics.create().compute_many(events, metrics=names, generate_overall=True)
  return table.loc["OVERALL"]


def identity_f1(scene, batch):
  """IDF1 by trying every assignment of identities to objects in each video."""
  right, total = 0, 0
  for video in range(len(scene.boxes)):
    together = {}
    for t in range(scene.boxes.shape[1]):
      overlaps, here, found = frame(scene, batch, video, t)
      total += len(here) + len(found)
      for m, n in np.argwhere(overlaps >= 0.5):
        pair = here[m], found[n]
        together[pair] = together.get(pair, 0) + 1
    objects, identities = batch["bboxes"].shape[2], int(scene.identity.max()) + 1
    table = np.zeros((objects, identities))
    for pair, count in together.items():
      table[pair] = count
    right += max(
      sum(table[m, i] for m, i in enumerate(chosen))
      for chosen in itertools.permutations(range(identities), objects)
    )
  return 2 * right / total


def test_boxes_as_other_libraries_score_them():
  scene, batch = film(np.random.default_rng(0))
  scores = tracking_scores(jax.device_get(jax.jit(box_tracks)(scene, batch)))
  expected = by_the_library_alone(scene, batch)
  assert 0 < scores["id_switches"] == expected["num_switches"]
  assert scores["mota"] == pytest.approx(expected["mota"]) and 0.5 < scores["motp"] < 1
  assert scores["motp"] == pytest.approx(1 - expected["motp"], abs=1e-6)
  assert scores["miss_rate"] == pytest.approx(expected["num_misses"] / expected["num_objects"])
  assert scores["idf1"] == pytest.approx(expected["idf1"])
  assert scores["idf1"] == pytest.approx(identity_f1(scene, batch))


def test_first_frames_can_be_left_out():
  scene, batch = film(np.random.default_rng(1))
  scores = tracking_scores(jax.device_get(box_tracks(scene, batch)), first_frame=2)
  expected = by_the_library_alone(scene, batch, first=2)
  assert scores["mota"] == pytest.approx(expected["mota"])
  assert scores["mota"] != tracking_scores(jax.device_get(box_tracks(scene, batch)))["mota"]


def test_the_least_overlap_of_a_match():
  """A box over the upper half of its object."""
  scene = Scene(image=None, boxes=np.full((1, 1, 1, 4), 0.0), presence=np.ones((1, 1, 1)))
  scene = scene.replace(
    boxes=np.array([0.25, 0.5, 0.5, 1.0]).reshape(1, 1, 1, 4), identity=np.zeros((1, 1, 1), int)
  )
  tracks = box_tracks(scene, {"bboxes": np.array([0.0, 0, 1, 1]).reshape(1, 1, 1, 4)})
  assert tracking_scores(tracks, 0.5)["mota"] == 1.0
  assert tracking_scores(tracks, 0.51)["mota"] == -1.0
  assert tracking_scores(tracks, 0.51)["motp"] == 0.0


def segments(labels, components, background=None):
  """A scene of hard masks and its batch, of label pictures [B, T, H, W]."""
  labels, components = np.asarray(labels), np.asarray(components)
  masks = np.moveaxis(np.eye(4, dtype=np.float32)[components], -1, 2)[..., None]
  return Scene(image=None, masks=masks, background=background), {"segmentation": labels[..., None]}


def test_masks():
  """Object 1 is component 2 and then 3; object 2, of five pixels, is left out as is component 1."""
  labels = np.zeros((1, 2, 8, 8), int)
  labels[..., :4, :4] = 1
  labels[..., 7, :5] = 2
  components = labels.copy()
  components[0, 0][labels[0, 0] == 1] = 2
  components[0, 1][labels[0, 1] == 1] = 3
  components[0, :, 7, :5] = 1
  components[0, 1, 0, 0] = 0  # 15 of 16 pixels
  tracks = jax.jit(lambda scene, batch: mask_tracks(scene, batch, 3))(*segments(labels, components))
  assert tracks.objects.tolist() == [[[True, False]] * 2]
  assert tracks.found.tolist() == [[[False, False, True, False], [False, False, False, True]]]
  scores = tracking_scores(tracks)
  assert scores["id_switches"] == 1 and scores["mota"] == pytest.approx(0.5)
  assert scores["motp"] == pytest.approx((1 + 15 / 16) / 2)
  assert scores["true_tracks"] == 1


def test_background_components_are_no_tracks():
  """The true background is split over components 0 and 1; 1 has a tenth of it."""
  labels = np.zeros((1, 1, 10, 10), int)
  labels[0, 0, :4, :5] = 1
  components = np.zeros_like(labels)
  components[0, 0, 9] = 1
  components[labels == 1] = 2
  scene, batch = segments(labels, components)
  found = mask_tracks(scene, batch, 2).found
  assert found.tolist() == [[[False, True, True, False]]]
  scene = scene.replace(background=np.array([True, True, False, False]))
  assert mask_tracks(scene, batch, 2).found.tolist() == [[[False, False, True, False]]]


def test_what_is_missing_is_named(monkeypatch):
  scene, batch = film(np.random.default_rng(2))
  with pytest.raises(InputError, match="boxes have no identity"):
    box_tracks(scene.replace(identity=None), batch)
  with pytest.raises(InputError, match="no 'bboxes'"):
    box_tracks(scene, {})
  with pytest.raises(InputError, match="same number of frames"):
    box_tracks(scene, {"bboxes": batch["bboxes"][:, :3]})
  tracks = jax.device_get(box_tracks(scene, batch))
  with pytest.raises(InputError, match="no video has an object from frame 6 on"):
    tracking_scores(tracks, first_frame=6)
  monkeypatch.setitem(sys.modules, "motmetrics", None)
  with pytest.raises(InputError, match=r"pip install 'objectcentric_jax\[tracking\]'"):
    tracking_scores(tracks)
