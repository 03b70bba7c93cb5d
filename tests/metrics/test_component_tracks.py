"""Components of videos that change their slots are followed by their identities."""

import jax
import numpy as np
import pytest

from objectcentric_jax.metrics.component_tracks import component_tracks, summed_over_tracks
from objectcentric_jax.metrics.segmentation import segmentation_metrics
from objectcentric_jax.metrics.tracking import mask_tracks, tracking_scores
from objectcentric_jax.metrics.video import video_metrics
from objectcentric_jax.scene import Scene

TOP, BOTTOM = np.s_[:3], np.s_[5:]


def film(with_identity: bool):
  """Two objects in two frames of 8x8; in the second, the first is gone and its slot reused."""
  labels, components = np.zeros((2, 1, 2, 8, 8), int)
  labels[:, 0, TOP], labels[:, :, BOTTOM] = 1, 2
  components[:] = 2  # the background's, of three
  components[:, 0, TOP], components[:, 0, BOTTOM], components[:, 1, BOTTOM] = 0, 1, 0
  masks = np.moveaxis(np.eye(3, dtype=np.float32)[components], -1, 2)[..., None]
  identity = np.array([[[7, 8], [8, 0]]]) if with_identity else None
  scene = Scene(image=None, masks=masks, background=np.arange(3) == 2, identity=identity)
  return scene, {"segmentation": labels[..., None]}


def test_tracks_are_numbered_by_where_they_were_first():
  scene, _ = film(True)
  assert component_tracks(scene).tolist() == [[[0, 1, 2], [1, 4, 2]]]
  scene, _ = film(False)
  assert component_tracks(scene).tolist() == [[[0, 1, 2]] * 2]


def test_tables_of_frames_are_added_track_by_track():
  scene, _ = film(True)
  tables = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
  table = summed_over_tracks(tables, scene)
  assert table.tolist() == [[[0, 1 + 6, 2 + 8, 0, 7, 0], [3, 4 + 9, 5 + 11, 0, 10, 0]]]
  scene, _ = film(False)
  np.testing.assert_array_equal(summed_over_tracks(tables, scene), tables.sum(1))


def test_more_boxes_than_components_are_no_components():
  scene, _ = film(True)
  scene = scene.replace(identity=np.ones((1, 2, 4), int))
  assert component_tracks(scene).tolist() == [[[0, 1, 2]] * 2]


@pytest.mark.parametrize("with_identity", [True, False])
def test_scores_of_videos(with_identity):
  scene, batch = film(with_identity)
  scores = jax.jit(lambda s, b: segmentation_metrics(s, b, 3) | video_metrics(s, b, 3))(
    scene, batch
  )
  tracking = tracking_scores(mask_tracks(scene, batch, 3))
  assert scores["frame_fg_ari"] == scores["frame_mbo"] == 1
  assert tracking["miss_rate"] == tracking["false_positive_rate"] == 0
  if with_identity:
    assert scores["fg_ari"] == scores["mbo"] == scores["fg_miou"] == scores["miou"] == 1
    assert tracking["mota"] == tracking["idf1"] == 1 and tracking["id_switches"] == 0
  else:
    assert scores["mbo"] == pytest.approx(1 / 2) and scores["fg_ari"] < 0.1
    assert tracking["id_switches"] == 1 and tracking["mota"] == pytest.approx(2 / 3)


def test_a_video_without_a_match_leaves_the_overlaps_of_the_others():
  scene, batch = film(True)
  twice = jax.tree.map(lambda x: np.concatenate([x, x]), (scene.replace(background=None), batch))
  scene, batch = twice[0].replace(background=np.arange(3) == 2), twice[1]
  scene.masks[1, :, :2] = 0
  scene.masks[1, :, 2] = 1
  scores = tracking_scores(mask_tracks(scene, batch, 3))
  assert scores["motp"] == 1 and scores["miss_rate"] == 0.5
