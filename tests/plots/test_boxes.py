"""Boxes over pictures: where their outlines are, and colours of tracks."""

import numpy as np
import pytest

from objectcentric_jax.plots.boxes import LINE, draw_boxes, outline_boxes, track_colours

RED, GREEN = (250, 0, 0), (0, 250, 0)


def outlined(boxes, opacity, size=(20, 30)):
  pictures = np.full((1, *size, 3), 100, np.uint8)
  colours = np.array([RED, GREEN][: len(boxes)], np.uint8)[None]
  drawn = outline_boxes(pictures, np.array([boxes]), np.array([opacity]), colours)
  assert (pictures == 100).all() and drawn.dtype == np.uint8
  return drawn[0]


def test_an_outline_is_around_its_box():
  """Rows 5 to 15 and columns 6 to 24 of 20 x 30 pixels."""
  drawn = outlined([[0.25, 0.2, 0.75, 0.8]], [1.0])
  changed = (drawn != 100).any(-1)
  expected = np.zeros((20, 30), bool)
  expected[5 - LINE : 15 + LINE, 6 - LINE : 24 + LINE] = True
  expected[5:15, 6:24] = False
  np.testing.assert_array_equal(changed, expected)
  assert set(map(tuple, drawn[changed].tolist())) == {RED}


def test_opacity_and_order():
  whole = [0.0, 0.0, 1.0, 1.0]
  drawn = outlined([whole, whole], [1.0, 0.5])
  assert drawn[0, 0].tolist() == [125, 125, 0]
  assert outlined([whole, whole], [0.5, 0.0])[0, 0].tolist() == [175, 50, 50]


def test_an_outline_at_the_border_is_inside():
  """All rows and columns 0 to 15: the line on the right is outside of the box."""
  changed = (outlined([[0.0, 0.0, 1.0, 0.5]], [1.0]) != 100).any(-1)
  expected = np.zeros((20, 30), bool)
  expected[:, : 15 + LINE] = True
  expected[LINE : 20 - LINE, LINE:15] = False
  np.testing.assert_array_equal(changed, expected)


def test_boxes_that_leave_the_picture_are_cut_off():
  """Columns 9 to 27 of rows above the 8th: there is no line at the border."""
  changed = (outlined([[-0.5, 0.3, 0.4, 0.9]], [1.0]) != 100).any(-1)
  expected = np.zeros((20, 30), bool)
  expected[: 8 + LINE, 9 - LINE : 27 + LINE] = True
  expected[:8, 9:27] = False
  np.testing.assert_array_equal(changed, expected)
  for box in ([-2, -2, 3, 3], [1.2, 0, 1.4, 1], [0, -0.9, 1, -0.5]):
    assert (outlined([box], [1.0]) == 100).all()


def test_tracks_keep_their_colour_and_near_ones_differ():
  colours = track_colours(np.arange(1000)).astype(int)
  np.testing.assert_array_equal(track_colours(np.array([[7], [503]])), colours[[7, 503]][:, None])
  assert (colours.max(1) == 255).all()
  for number in range(20):
    others = np.delete(colours[:20], number, 0)
    assert np.abs(others - colours[number]).max(1).min() > 20
  assert np.abs(np.diff(colours, axis=0)).max(1).min() > 100


def test_the_published_frames_are_as_bright_as_boxes_are_present():
  image = np.zeros((1, 42, 42, 3), np.float32)
  boxes = np.array([[[0.5, 0.5, 1.0, 1.0]]], np.float32)
  drawn = np.asarray(draw_boxes(image, boxes, np.array([[0.75]], np.float32)))
  assert drawn[0, 2, 21].tolist() == pytest.approx([0, 0.75, 0]) and (drawn[0, 21, 21] == 0).all()
