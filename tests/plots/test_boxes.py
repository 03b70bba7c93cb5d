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


def test_an_outline_is_inside_its_box():
  """Rows 5 to 15 and columns 6 to 24 of 20 x 30 pixels."""
  drawn = outlined([[0.25, 0.2, 0.75, 0.8]], [1.0])
  changed = (drawn != 100).any(-1)
  rows, columns = np.argwhere(changed).T
  assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 14, 6, 23)
  assert changed.sum() == 10 * 18 - (10 - 2 * LINE) * (18 - 2 * LINE)
  assert set(map(tuple, drawn[changed].tolist())) == {RED}


def test_opacity_and_order():
  whole = [0.0, 0.0, 1.0, 1.0]
  drawn = outlined([whole, whole], [1.0, 0.5])
  assert drawn[0, 0].tolist() == [125, 125, 0]
  assert outlined([whole, whole], [0.5, 0.0])[0, 0].tolist() == [175, 50, 50]


@pytest.mark.parametrize(
  "box", [[-0.5, 0.1, 0.4, 0.9], [0.5, 0.9, 0.7, 1.6], [-2, -2, 3, 3], [1.2, 0, 1.4, 1]]
)
def test_boxes_that_leave_the_picture_are_cut_off(box):
  drawn = outlined([box], [1.0])
  top, left, bottom, right = np.round(np.array(box) * [20, 30, 20, 30]).astype(int)
  expected = np.zeros((20, 30), bool)
  for row in range(20):
    for column in range(30):
      inside = top <= row < bottom and left <= column < right
      deep = top + LINE <= row < bottom - LINE and left + LINE <= column < right - LINE
      expected[row, column] = inside and not deep
  np.testing.assert_array_equal((drawn != 100).any(-1), expected)


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
