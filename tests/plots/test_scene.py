"""Pictures of scenes: sizes, colours at known pixels, files."""

import numpy as np
import pytest
from PIL import Image

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.scene import (
  PALETTE,
  colour_labels,
  component_figure,
  grid,
  save,
  scene_figure,
  to_uint8,
)
from objectcentric_jax.scene import Scene

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
RED, BLUE = (255, 0, 0), (0, 0, 255)


def plain(colour, height=48, width=64):
  return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3))


def two_halves(count=3, height=48, width=64):
  """Images with a red upper and a blue lower half; component 0 red, 2 blue, 1 never used."""
  masks = np.zeros((count, 3, height, width, 1), np.float32)
  masks[:, 0, : height // 2], masks[:, 2, height // 2 :] = 1, 1
  components = np.zeros((count, 3, height, width, 3), np.float32)
  components[:, 0] = (1, 0, 0)
  components[:, 1] = (0, 1, 0)
  components[:, 2] = (0, 0, 1)
  image = (masks * components).sum(1)
  return image, Scene(image=image, masks=masks, components=components)


def cells(figure, height, width):
  """Colours of the cells of that size, row by row, at a quarter and three quarters of it."""
  found = []
  outline = (figure == 190).all(-1)
  for y, x in np.argwhere(outline[:-height, :-width]):
    edges = outline[y, x : x + width + 2], outline[y : y + height + 2, x]
    if all(edge.all() and len(edge) > 2 for edge in edges):
      upper, lower = figure[[y + height // 4, y + 3 * height // 4], x + width // 2]
      found.append((tuple(upper.tolist()), tuple(lower.tolist())))
  return found


def test_palette_is_the_published_one():
  assert PALETTE.shape == (15, 3) and PALETTE.dtype == np.uint8
  assert PALETTE[0].tolist() == [204, 78, 51] and PALETTE[14].tolist() == [188, 120, 88]


def test_labels_take_the_colours_in_turn():
  labels = np.array([[0, 14, -1], [3, -7, 1]])
  coloured = colour_labels(labels)
  assert coloured.shape == (2, 3, 3) and coloured.dtype == np.uint8
  np.testing.assert_array_equal(coloured[0], [PALETTE[0], PALETTE[14], BLACK])
  np.testing.assert_array_equal(coloured[1], [PALETTE[3], BLACK, PALETTE[1]])
  black = colour_labels(labels, background_ids=(0, 3))
  np.testing.assert_array_equal(black[:, 0], [BLACK, BLACK])
  np.testing.assert_array_equal(black[0, 1], PALETTE[14])


def test_more_labels_than_colours_differ():
  coloured = colour_labels(np.arange(75)).astype(int)
  assert len(np.unique(coloured, axis=0)) == 75
  assert (coloured[15:30] < coloured[:15]).all() and (coloured[30:45] > coloured[:15]).all()


def test_to_uint8_rounds_and_clips():
  values = np.array([0, 0.5, 1, 1.2, -0.1, np.nan, np.inf, 254.6 / 255], np.float32)
  found = to_uint8(values[:, None])
  assert found.shape == (8, 3)
  np.testing.assert_array_equal(found[:, 0], [0, 128, 255, 255, 0, 0, 255, 255])
  np.testing.assert_array_equal(found[:, 1:], found[:, [0, 0]])
  colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
  np.testing.assert_array_equal(to_uint8(colours), colours)


def test_grid_places_and_enlarges():
  figure = grid([[plain(RED), None], [None, plain(BLUE)]], padding=5)
  assert figure.shape == (3 * 5 + 2 * 96, 3 * 5 + 2 * 128, 3) and figure.dtype == np.uint8
  np.testing.assert_array_equal(figure[5 : 5 + 96, 5 : 5 + 128], plain(RED, 96, 128))
  np.testing.assert_array_equal(figure[106 : 106 + 96, 138 : 138 + 128], plain(BLUE, 96, 128))
  np.testing.assert_array_equal(figure[12:90, 145:250], plain(WHITE, 78, 105))
  assert grid([[plain(RED)]], padding=0, scale=1).shape == (48, 64, 3)
  assert grid([[plain(RED, 100, 130)]], padding=0).shape == (100, 130, 3)


def test_grid_enlarges_by_repeating_pixels():
  cell = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
  np.testing.assert_array_equal(grid([[cell]], padding=0)[::2, 1::2], cell)


def test_grid_writes_labels_beside_the_images():
  rows = [[plain(RED), plain(BLUE)]]
  bare = grid(rows)
  titled = grid(rows, column_labels=["one", "a title too long for a line"])
  assert titled.shape[1] == bare.shape[1]
  extra = titled.shape[0] - bare.shape[0]
  header = titled[:extra]
  assert (header.min(-1) < 100).any() and not (titled[extra:] != bare).any(
    where=titled[extra:] < 60
  )
  assert (header[: extra // 2, :130] == 255).all(), "a short title stands on the last line"
  assert (header[: extra // 2, 136:].min(-1) < 100).any(), "a long one is wrapped"
  named = grid(rows, row_labels=["row"])
  margin = named.shape[1] - bare.shape[1]
  assert margin > 10 and (named[:, :margin].min(-1) < 100).any()
  np.testing.assert_array_equal(named[:, margin + 3 :], bare[:, 3:])


def test_grid_refuses_what_does_not_fit():
  with pytest.raises(ValueError, match="one size"):
    grid([[plain(RED), plain(RED, 64, 48)]])
  with pytest.raises(ValueError, match="one size"):
    grid([[None]])
  with pytest.raises(ValueError, match="0 row and 1 column labels for 1 x 2"):
    grid([[plain(RED), plain(RED)]], column_labels=["one"])


def test_scene_figure_shows_every_part():
  image, scene = two_halves()
  truth = np.zeros((3, 48, 64, 1), np.uint8)
  truth[:, 24:] = 4
  upside_down = scene.masks[:, ::-1]
  figure = scene_figure(image, scene.replace(other_masks={"attention": upside_down}), truth, 2)
  first, last = tuple(PALETTE[0].tolist()), tuple(PALETTE[2].tolist())
  row = [
    (RED, BLUE),
    (BLACK, tuple(PALETTE[4].tolist())),
    (RED, BLUE),
    (first, last),
    (last, first),
    (RED, BLACK),
    (BLACK, BLACK),
    (BLACK, BLUE),
  ]
  assert cells(figure, 96, 128) == row * 2


def test_scene_figure_of_a_model_without_masks():
  image, scene = two_halves(count=1)
  figure = scene_figure(image, scene.replace(masks=None, components=None))
  assert cells(figure, 96, 128) == [(RED, BLUE)] * 2


def test_component_figure_rows():
  image, scene = two_halves()
  scope = np.full_like(scene.masks, 1.0)
  green = (0, 255, 0)
  masked = [(RED, BLACK), (BLACK, BLACK), (BLACK, BLUE)]
  colour = [(RED, RED), (green, green), (BLUE, BLUE)]
  mask = [(WHITE, BLACK), (BLACK, BLACK), (BLACK, WHITE)]
  whole = [(RED, BLUE)]
  three = component_figure(image, scene, 1)
  assert cells(three, 96, 128) == whole + masked + whole + colour + mask
  four = component_figure(image, scene, 1, scope)
  assert cells(four, 96, 128) == whole + masked + whole + colour + mask + [(WHITE, WHITE)] * 3
  assert four.shape[1] == three.shape[1] and four.shape[0] == three.shape[0] + 100
  with pytest.raises(InputError, match="no components"):
    component_figure(image, scene.replace(components=None), 1)


def test_save_writes_a_png_and_nothing_else(tmp_path):
  figure = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
  path = tmp_path / "images" / "scene.png"
  save(path, figure)
  save(path, figure[::-1])
  with Image.open(path) as file:
    assert file.format == "PNG"
    np.testing.assert_array_equal(np.asarray(file), figure[::-1])
  with pytest.raises(TypeError):
    save(path, figure.astype(np.float64))
  assert [item.name for item in path.parent.iterdir()] == ["scene.png"]
  with pytest.raises(InputError, match="end in .png"):
    save(tmp_path / "scene.jpg", figure)
