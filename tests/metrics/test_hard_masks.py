"""Scores of sure masks on hand-made videos with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from objectcentric_jax.metrics import hard_masks
from objectcentric_jax.models.loci.scores import sure_mask_metric
from objectcentric_jax.scene import Scene

SIDE, FRAMES, SLOTS = 12, 3, 3


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


def video():
  """Two squares, one of which moves a pixel a frame: labels [1, T, H, W, 1]."""
  labels = np.zeros((1, FRAMES, SIDE, SIDE, 1), np.int32)
  for t in range(FRAMES):
    labels[:, t, 1:5, 1 + t : 5 + t] = 1
    labels[:, t, 7:11, 6:9] = 2
  return labels


def masks_of(labels, sure=0.9):
  """Masks [B, T, K + 1, H, W, 1] that are as sure as that; label 1 is slot 2, label 2 slot 0."""
  slot = np.array([SLOTS, 2, 0])[labels]  # the background is last
  hot = (slot[:, :, None] == np.arange(SLOTS + 1).reshape(1, 1, -1, 1, 1, 1)).astype(np.float32)
  rest = (1 - sure) / SLOTS
  return jnp.asarray(hot * sure + (1 - hot) * rest)


def scores(labels, masks, expected=None, information=False):
  metric = sure_mask_metric(information)
  scene = Scene(
    image=jnp.zeros((1, FRAMES, SIDE, SIDE, 3)),
    masks=masks,
    other_masks={"prediction": masks if expected is None else expected},
  )
  observed = jax.jit(metric.observe)(scene, {"segmentation": jnp.asarray(labels)})
  return metric.summarise(jax.device_get(observed))


def test_right_masks_score_one():
  found = scores(video(), masks_of(video()), information=True)
  soft = {name for name in found if name.endswith(("fg_iou", "fg_f1"))}
  late = {n for n in found if n.startswith("published/prediction/")}
  for name in found.keys() - soft - late:
    assert found[name] == pytest.approx(1.0, abs=1e-6), name
  assert found["fg_iou"] == pytest.approx(28 * 29 / 30 / (28 + 116 / 10), abs=1e-5)


def test_published_predictions_are_matched_with_the_frame_before():
  """As published a prediction of frame t + 1 is matched with the objects of frame t."""
  found = scores(video(), masks_of(video()))
  moved = 4 * 3 / (4 * 5)  # of the square that moved by a pixel
  assert found["prediction/iou"] == pytest.approx(1.0, abs=1e-6)
  assert found["published/prediction/iou"] == pytest.approx((1 + moved) / 2, abs=1e-6)
  # A prediction that stands still is right by that, and only by that.
  still = np.asarray(masks_of(video()))[:, [0, 0, 1]]
  found = scores(video(), masks_of(video()), jnp.asarray(still))
  assert found["published/prediction/iou"] == pytest.approx(1.0, abs=1e-6)
  assert found["prediction/iou"] == pytest.approx((1 + moved) / 2, abs=1e-6)


def test_objects_without_a_sure_mask():
  unsure = np.array(masks_of(video()))
  unsure[:, :, 0] *= 0.8  # 0.72, of the second object
  found = scores(video(), jnp.asarray(unsure), information=True)
  assert found["iou"] == pytest.approx(0.5, abs=1e-6)
  assert found["f1"] == pytest.approx(0.5, abs=1e-6)
  assert found["iou_matched"] == pytest.approx(1.0, abs=1e-6)
  assert found["counting"] == 0


def test_pixels_without_a_mask_are_a_segment():
  """As published they are in no segment, so that an object of which half is seen scores 1."""
  unsure = np.array(masks_of(video()))
  unsure[:, :, :, 9:] *= 0.8  # the lower half of the second object
  found = scores(video(), jnp.asarray(unsure))
  assert found["published/fg_ari_frames"] == pytest.approx(1.0, abs=1e-6)
  assert found["fg_ari_frames"] < 0.9


def test_a_slot_that_changes_its_object():
  masks = np.array(masks_of(video()))
  masks[:, 1] = masks[:, 1][:, [2, 1, 0, 3]]
  found = scores(video(), jnp.asarray(masks))
  assert found["fg_ari_frames"] == pytest.approx(1.0, abs=1e-6)
  slot = np.asarray(masks).argmax(2)[video() > 0]
  expected = adjusted_rand_score(video()[video() > 0], slot)
  assert found["fg_ari_clips"] == pytest.approx(expected, abs=1e-6)


def test_more_objects_than_slots():
  tables = np.zeros((1, 5, 3))
  tables[0, 1:, 0] = 5, 3, 0, 1  # all in one mask
  split = hard_masks.Split(np.arange(5) > 0, np.arange(3) < 1, np.arange(3) == 1)
  overlap = hard_masks.matched_overlap(tables, split)
  assert overlap.iou[0] == pytest.approx(5 / 9, abs=1e-6)
  assert (overlap.objects[0], overlap.pairs[0]) == (3, 1)


def test_nothing_is_scored_without_labels():
  metric = sure_mask_metric(False)
  assert metric.observe(Scene(image=None), {}) == {} and metric.summarise({}) == {}


def test_a_single_image_is_a_video_of_one_frame():
  labels, masks = video()[:, 1], masks_of(video())[:, 1]
  metric = sure_mask_metric(True)
  scene = Scene(image=None, masks=masks, other_masks={"prediction": masks})
  found = metric.summarise(jax.device_get(metric.observe(scene, {"segmentation": labels})))
  assert found["published/prediction/iou"] == pytest.approx(1.0, abs=1e-6)
  assert found["iou"] == found["prediction/iou"] == pytest.approx(1.0, abs=1e-6)
