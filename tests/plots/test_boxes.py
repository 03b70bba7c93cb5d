"""Boxes over images: where their frames are, and in which colours."""

import jax.numpy as jnp
import numpy as np

from objectcentric_jax.plots.boxes import (
  FAINT,
  LEAST_SIDE,
  SURE,
  UNSURE,
  box_panel,
  cover_with_boxes,
  draw_boxes,
  presence_colours,
  track_colours,
)
from objectcentric_jax.scene import Scene

# Centre y, x, height, width: rows 21 to 63, columns 42 to 126 of 84 x 168 pixels.
BOX = np.array([[[0.5, 0.5, 0.5, 0.5]]], np.float32)
GREY = np.full((1, 84, 168, 3), 0.5, np.float32)
FRAME, INSIDE, OUTSIDE = (22, 84), (42, 84), (10, 84)


def test_frames_are_added_in_green_as_bright_as_the_box_is_present():
  drawn = np.asarray(draw_boxes(GREY, BOX, np.array([[0.4]], np.float32)))[0]
  np.testing.assert_allclose(drawn[FRAME], [0.5, 0.9, 0.5], atol=1e-5)
  np.testing.assert_allclose(drawn[INSIDE], 0.5)
  np.testing.assert_allclose(drawn[OUTSIDE], 0.5)
  assert draw_boxes(GREY, BOX, np.array([[0.9]], np.float32)).max() == 1


def covered(presence, **options):
  boxes = np.repeat(BOX, len(presence), axis=1)
  return np.asarray(cover_with_boxes(GREY, boxes, np.array([presence], np.float32), **options))[0]


def at(picture, place):
  """The pixel of an enlarged picture that a pixel of the small one became."""
  factor = len(picture) // GREY.shape[1]
  return picture[place[0] * factor + factor // 2, place[1] * factor + factor // 2]


def test_frames_cover_what_is_behind_them_in_the_colour_of_their_presence():
  sure = covered([1.0])
  assert sure.shape == (252, 504, 3) and min(sure.shape[:2]) >= LEAST_SIDE
  np.testing.assert_allclose(at(sure, FRAME), SURE, atol=1e-5)
  for place in (INSIDE, OUTSIDE):
    np.testing.assert_allclose(at(sure, place), 0.5)
  unsure = covered([0.5])
  np.testing.assert_allclose(at(unsure, FRAME), (np.array(UNSURE) + 0.5) / 2, atol=1e-5)


def test_faint_boxes_are_left_out_and_frames_that_meet_mix():
  np.testing.assert_allclose(covered([0.9 * FAINT]), 0.5)
  colours = np.array([[[1, 0, 0], [0, 0, 1]]], np.float32)
  mixed = covered([1.0, 1.0], colours=colours)
  np.testing.assert_allclose(at(mixed, FRAME), [0.5, 0, 0.5], atol=1e-5)


def test_colours_go_from_unsure_to_sure():
  colours = np.asarray(presence_colours(jnp.array([0.0, 0.5, 0.75, 1.0])))
  np.testing.assert_allclose(colours[[0, 1, 3]], [UNSURE, UNSURE, SURE], atol=1e-6)
  assert (np.diff(colours[1:, 0]) != 0).all()


def test_true_boxes_are_drawn_where_they_are_known():
  scene = Scene(image=GREY, boxes=BOX, presence=np.zeros((1, 1), np.float32))
  batch = {"image": GREY}
  assert list(box_panel(scene, batch)) == ["boxes"]
  edges = np.array([[[0.25, 0.25, 0.75, 0.75], [0, 0, 0, 0]]], np.float32)
  rows = box_panel(scene, {**batch, "bboxes": edges, "num_objects": np.array([1], np.int32)})
  assert list(rows) == ["boxes", "true boxes"]
  np.testing.assert_allclose(rows["boxes"], 0.5)
  np.testing.assert_allclose(at(np.asarray(rows["true boxes"][0]), FRAME), 1.0, atol=1e-5)
  np.testing.assert_allclose(at(np.asarray(rows["true boxes"][0]), (1, 1)), 0.5)


def test_tracks_keep_their_colour_and_near_ones_differ():
  colours = track_colours(np.arange(1000)).astype(int)
  np.testing.assert_array_equal(track_colours(np.array([[7], [503]])), colours[[7, 503]][:, None])
  assert (colours.max(1) == 255).all()
  for number in range(20):
    others = np.delete(colours[:20], number, 0)
    assert np.abs(others - colours[number]).max(1).min() > 20
  assert np.abs(np.diff(colours, axis=0)).max(1).min() > 100
