"""Steps that take one object, its surroundings, the foreground; depth; pairs of frames."""

import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.clips import Pair, videos
from objectcentric_jax.input.one_object import ForegroundMask, ObjectCrop, OneObject, ScaleDepth
from objectcentric_jax.input.preprocess import parse

SIDE = 40


def still():
  """A small object 1, a larger object 2, and a single pixel of object 5."""
  ids = np.zeros((SIDE, SIDE, 1), np.uint8)
  ids[2:8, 3:9], ids[20:36, 10:30], ids[0, 39] = 1, 2, 5
  image = np.repeat(ids * 40, 3, -1)
  return {"image": image, "segmentation": ids, "depth": ids.astype(np.float32)}


def chosen(arrays):
  return set(np.unique(arrays["image"][arrays["mask"][..., 0] > 0]))


def test_training_takes_any_object_that_is_seen_well_and_evaluation_the_largest():
  step = OneObject(pixels=4)
  found = {frozenset(chosen(step(still(), np.random.default_rng(i)))) for i in range(20)}
  assert found == {frozenset({40}), frozenset({80})}
  one = step(still(), None)
  assert chosen(one) == {80} and "segmentation" not in one
  assert one["mask"].sum() == 16 * 20 * 255


def test_pictures_without_objects_have_an_empty_mask():
  empty = {**still(), "segmentation": np.zeros((SIDE, SIDE, 1), np.uint8)}
  assert not OneObject()(empty, np.random.default_rng(0))["mask"].any()
  assert not OneObject()(empty, None)["mask"].any()


def test_labels_are_not_promised_any_more():
  about = {"labels": 6, "background_ids": [0], "name": "x"}
  assert OneObject().adapted(about)[1] == {"name": "x"}
  step, after = ForegroundMask().adapted({**about, "background_ids": [0, 1]})
  assert after == {"name": "x"} and chosen(step(still(), None)) == {80, 200}


def test_windows_hold_the_object_and_a_border():
  arrays = OneObject(pixels=4)(still(), None)
  crop = ObjectCrop(side=24, border=4, flip=0.0)
  windows = [crop(arrays, np.random.default_rng(i)) for i in range(30)]
  for window in windows:
    assert {n: a.shape for n, a in window.items()} == {
      "image": (24, 24, 3),
      "mask": (24, 24, 1),
      "depth": (24, 24, 1),
    }
    area = (window["mask"] > 0.5).sum()
    assert 16 * 20 * (24 / 40) ** 2 * 0.9 < area < 16 * 20 * 1.1
  sizes = {(window["mask"] > 0.5).sum() for window in windows}
  assert len(sizes) > 3  # windows differ


def test_evaluation_takes_the_whole_picture():
  arrays = OneObject()(still(), None)
  whole = ObjectCrop(side=SIDE)(arrays, None)
  np.testing.assert_allclose(whole["mask"], arrays["mask"] / 255)


def test_depth_is_brought_to_a_range():
  depth = ScaleDepth(near=1.0, far=3.0)({"depth": np.array([[[0.0], [1.5], [9.0]]])}, None)["depth"]
  np.testing.assert_allclose(depth[0, :, 0], [0, 0.25, 1])
  assert depth.dtype == np.float32


@pytest.mark.parametrize(
  ("steps", "words"),
  [
    ([dict(name="object_crop")], "it needs the field mask"),
    ([dict(name="scale_depth", near=0.0, far=1.0)], "it needs the field depth"),
    ([dict(name="one_object")], "it needs the field segmentation"),
  ],
)
def test_what_is_missing_is_named(steps, words):
  picture = {"image": np.zeros((4, 4, 3), np.uint8)}
  with pytest.raises(InputError, match=words):
    parse(steps, 4, 0)(picture, np.random.default_rng(0))


def test_a_range_of_depth_that_is_none():
  with pytest.raises(InputError, match="far is 1.0: more than near, 2.0"):
    parse([dict(name="scale_depth", near=2.0, far=1.0)], 4, 0)


# Pairs of frames


def frames(pair, rng, lengths=(9, 5)):
  selection = pair.select(videos(np.arange(len(lengths)), np.array(lengths)), rng is not None)
  assert selection.count == len(lengths)
  return [int(f) for cut in selection.cuts(1, rng) for f in cut.frames(lengths[1])]


def test_pairs_are_any_two_frames_in_the_order_of_time():
  found = [frames(Pair(), np.random.default_rng(i)) for i in range(60)]
  assert all(0 <= first <= second <= 4 for first, second in found)
  assert {second - first for first, second in found} == {0, 1, 2, 3, 4}
  assert frames(Pair(), None) == [0, 4]


def test_pairs_that_are_near():
  assert all(len(set(frames(Pair(spread=0.0), np.random.default_rng(i)))) == 1 for i in range(5))
  near = [frames(Pair(spread=0.7), np.random.default_rng(i)) for i in range(40)]
  assert {second - first for first, second in near} <= {0, 1, 2}


def test_pairs_of_videos_that_are_counted_when_they_are_read():
  selection = Pair().select(videos(np.arange(3), None), True)
  cut = selection.cuts(2, np.random.default_rng(0))[0]
  assert cut.record == 2 and len(cut.frames(5)) == 2 and cut.frames(5).max() < 5
