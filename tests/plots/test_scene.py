"""Pictures of scenes: their colours at known pixels, and where they stand in figures."""

import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.scene import (
  COLUMNS,
  PALETTE,
  colour_labels,
  component_figure,
  scene_figure,
  scene_pictures,
  separate_pictures,
  to_uint8,
)
from objectcentric_jax.scene import Scene
from tests.plots.cells import cells

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
FIRST, LAST = tuple(PALETTE[0].tolist()), tuple(PALETTE[2].tolist())


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


def explained(count=3):
  """Pictures of explained images, with labels and with another segmentation, upside down."""
  image, scene = two_halves(count)
  truth = np.zeros((count, 48, 64, 1), np.uint8)
  truth[:, 24:] = 4
  scene = scene.replace(other_masks={"attention": scene.masks[:, ::-1]})
  return scene_pictures(scene, image, truth)


OVERVIEW = {
  "input": (RED, BLUE),
  "true segments": (BLACK, tuple(PALETTE[4].tolist())),
  "reconstruction": (RED, BLUE),
  "segments": (FIRST, LAST),
  "segments (attention)": (LAST, FIRST),
}
PARTS = {
  "masked": [(RED, BLACK), (BLACK, BLACK), (BLACK, BLUE)],
  "component": [(RED, RED), (GREEN, GREEN), (BLUE, BLUE)],
  "mask": [(WHITE, BLACK), (BLACK, BLACK), (BLACK, WHITE)],
  "mask (attention)": [(BLACK, WHITE), (BLACK, BLACK), (WHITE, BLACK)],
  "scope": [(WHITE, WHITE), (BLACK, WHITE), (BLACK, WHITE)],
  "step": [(RED, BLACK), (RED, BLACK), (RED, BLUE)],
}


def test_pictures_come_in_the_order_they_are_shown():
  pictures = explained()
  assert list(pictures.whole) == list(OVERVIEW) and list(pictures.parts) == list(PARTS)
  assert {stack.shape for stack in pictures.whole.values()} == {(3, 48, 64, 3)}
  assert {stack.shape for stack in pictures.parts.values()} == {(3, 3, 48, 64, 3)}


def test_soft_masks_are_composed_step_by_step():
  masks = np.full((1, 3, 2, 5, 1), 0.25, np.float32)
  masks[:, 2] = 0.5
  components = np.ones((1, 3, 2, 5, 3), np.float32)
  components[:, 1] = 0.8
  image = (masks * components).sum(1)
  parts = scene_pictures(Scene(image=image, masks=masks, components=components)).parts
  first = {name: stack[0, :, 0, 0, 0].tolist() for name, stack in parts.items()}
  assert first["scope"] == [255, 191, 128]
  assert first["masked"] == [64, 51, 128] and first["step"] == [64, 115, 242]


def test_scene_figure_has_a_row_for_every_scene():
  row = [*OVERVIEW.values(), *PARTS["masked"]]
  assert cells(scene_figure(explained(2)), 96, 128) == row * 2


def test_scene_figure_of_a_model_without_masks():
  image, scene = two_halves(count=1)
  pictures = scene_pictures(scene.replace(masks=None, components=None), image)
  assert cells(scene_figure(pictures), 96, 128) == [(RED, BLUE)] * 2
  with pytest.raises(InputError, match="no components"):
    component_figure(pictures, 0)
  assert set(separate_pictures(pictures, 0)) == {"input", "reconstruction"}


def test_a_model_of_masks_alone_shows_them():
  image, scene = two_halves()
  pictures = scene_pictures(scene.replace(components=None), image)
  assert list(pictures.parts) == ["mask", "scope"]
  assert cells(scene_figure(pictures), 96, 128) == [(RED, BLUE), (RED, BLUE), (FIRST, LAST)] * 3
  rows = [(RED, BLUE), *PARTS["mask"], (RED, BLUE), *PARTS["scope"], (FIRST, LAST)]
  assert cells(component_figure(pictures, 2), 96, 128) == rows


def test_component_figure_has_a_row_for_every_part():
  figure = component_figure(explained(), 1)
  whole = [[cell] for cell in OVERVIEW.values()] + [[]]
  rows = [*zip(whole, PARTS.values(), strict=True)]
  assert cells(figure, 96, 128) == [cell for left, right in rows for cell in [*left, *right]]


def test_of_many_components_the_largest_are_shown():
  """Component k of 20 has k + 1 rows."""
  count = 20
  rows = np.repeat(np.arange(count), np.arange(count) + 1)  # which component a row is
  masks = (rows == np.arange(count)[:, None]).astype(np.float32)[None, :, :, None, None]
  masks = masks.repeat(100, 3)
  components = np.broadcast_to(
    np.arange(count).reshape(1, -1, 1, 1, 1) / count, (*masks.shape[:4], 3)
  )
  pictures = scene_pictures(Scene((masks * components).sum(1), masks, components))
  assert len(cells(scene_figure(pictures), len(rows), 100)) == 2 + COLUMNS
  shown = cells(component_figure(pictures, 0), len(rows), 100)
  component = [cell[0][0] for cell in shown[2 + COLUMNS :][:COLUMNS]]  # the row below "masked"
  assert component == np.round(255 * np.arange(4, 20) / count).astype(int).tolist()
  assert len(separate_pictures(pictures, 0)) == 2 + 5 * count


def test_a_generated_scene_has_no_input():
  _, scene = two_halves()
  pictures = scene_pictures(scene)
  assert list(pictures.whole) == ["scene", "segments"]
  assert list(pictures.parts) == ["masked", "component", "mask", "scope", "step"]
  shown = cells(component_figure(pictures, 0), 96, 128)
  assert shown[:4] == [(RED, BLUE), *PARTS["masked"]] and shown[-3:] == PARTS["step"]


def test_separate_pictures_are_named_for_files():
  single = separate_pictures(explained(), 1)
  parts = ("masked", "component", "mask", "mask-attention", "scope", "step")
  whole = ["input", "true-segments", "reconstruction", "segments", "segments-attention"]
  assert list(single) == whole + [f"{part}-{k}" for part in parts for k in (1, 2, 3)]
  assert {picture.shape for picture in single.values()} == {(96, 128, 3)}
  assert single["component-2"][5, 7].tolist() == [0, 255, 0]
  assert single["mask-3"][[10, 90], 7].tolist() == [[0, 0, 0], [255, 255, 255]]
