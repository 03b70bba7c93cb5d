"""Contact sheets show what is stored: stills, videos, views, boxes, depth, flow."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data import prepare, sheet, show
from data.building import schema
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.scene import PALETTE, colour_labels
from tests.conftest import SMALL_SET
from tests.input import sets


def sheet_of(tmp_path, features, examples, **metadata):
  name = sets.write(tmp_path, features, {"train": examples}, ordered=True, **metadata)
  return sheet.contact_sheet(records.find(name, tmp_path), "train")


def colours(picture):
  return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_stills_stand_above_their_labels(small_set, tmp_path, capsys):
  out = tmp_path / "pictures" / "sheet.png"
  name = f"multi_dsprites/{SMALL_SET}"
  show.main([name, "--data-dir", str(small_set), "--out", str(out)])
  assert capsys.readouterr().out.strip() == str(out)
  drawn = np.asarray(Image.open(out))
  directory = records.find(name, small_set)
  source = tfds.builder_from_directory(directory).as_data_source("train")
  # Cells are 96 wide, 4 apart, 3 groups of two rows; labels stand to the left of the first.
  height = 4 + 96 + 4 + 96
  left = drawn.shape[1] - sheet.COLUMNS * 100
  for index in range(sheet.ROWS * sheet.COLUMNS):
    row, column = divmod(index, sheet.COLUMNS)
    top, x = 4 + row * (height + 12), left + column * 100
    image = source[index]["image"].repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(drawn[top : top + 96, x : x + 96], image)
    labels = colour_labels(source[index]["segmentation"][..., 0], [0]).repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(drawn[top + 100 : top + 196, x : x + 96], labels)


def test_videos_are_strips_of_frames(tmp_path):
  """Of 20 frames eight, from the first to the last; every frame has a colour of its own."""
  video = np.zeros((20, 48, 96, 3), np.uint8)
  video[..., 0] = 5 + 10 * np.arange(20)[:, None, None]
  ids = np.full((20, 48, 96, 1), 2, np.uint8)
  depth = np.linspace(1, 3, 20, dtype=np.float32)[:, None, None, None] * np.ones((48, 96, 1))
  features = {
    "video": schema.pictures(20, 48, 96),
    "segmentation": schema.array((20, 48, 96, 1), np.uint8),
    "depth": schema.array((20, 48, 96, 1)),
  }
  example = {"video": sets.pngs(video), "segmentation": ids, "depth": depth.astype(np.float32)}
  drawn = sheet_of(tmp_path, features, [example] * 5)
  shown = [0, 3, 5, 8, 11, 14, 16, 19]
  row = drawn[4 + 24]
  found = [tuple(c) for c in row[-8 * 100 + 48 :: 100].tolist()]
  assert found == [(5 + 10 * t, 0, 0) for t in shown]
  labels = drawn[4 + 52 + 24, -8 * 100 + 48 :: 100]
  np.testing.assert_array_equal(labels, np.broadcast_to(PALETTE[2], (8, 3)))
  near = drawn[4 + 104 + 24, -8 * 100 + 48 :: 100, 0]
  np.testing.assert_allclose(near, [255 * (1 - t / 19) for t in shown], atol=1.5)
  # Three videos, three rows each.
  assert drawn.shape[0] == 4 + 9 * 52 + 2 * 12


def test_views_without_anything_else(tmp_path):
  views = np.zeros((3, 100, 100, 3), np.uint8)
  views[:] = np.array([10, 20, 30])[:, None, None, None]
  features = {"views": schema.pictures(3, 100, 100)}
  drawn = sheet_of(tmp_path, features, [{"views": sets.pngs(views)}])
  assert drawn[54, [54, 158, 262]].tolist() == [[10] * 3, [20] * 3, [30] * 3]
  assert drawn.shape == (108, 4 + 3 * 104, 3)


def test_boxes_are_drawn_in_the_colours_of_their_labels(tmp_path):
  picture = np.full((100, 120, 3), 200, np.uint8)
  boxes = np.array([[0.1, 0.25, 0.5, 0.75], [0, 0, 0, 0], [0.6, 0.5, 0.9, 1.0]], np.float32)
  features = {"image": schema.picture(100, 120), "bboxes": schema.numbers((3, 4))}
  drawn = sheet_of(tmp_path, features, [{"image": sets.pngs(picture[None])[0], "bboxes": boxes}])
  cell = drawn[4:104, 4:124]
  first, third = (tuple(PALETTE[k].tolist()) for k in (1, 3))
  assert colours(cell) == {(200, 200, 200), first, third}
  rows, columns = np.nonzero((cell == PALETTE[1]).all(-1))
  assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (10, 30, 50, 90)
  rows, columns = np.nonzero((cell == PALETTE[3]).all(-1))
  assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (60, 60, 90, 120)


def test_pictures_of_several_sizes_stand_on_white(tmp_path):
  sizes = [(96, 50), (40, 96), (400, 100)]
  made = [{"image": sets.pngs(np.full((1, h, w, 3), 60, np.uint8))[0]} for h, w in sizes]
  drawn = sheet_of(tmp_path, {"image": schema.picture()}, made)
  # 400 rows are reduced to 192, 100 columns to 48.
  dark = (drawn == 60).all(-1)
  assert dark.sum() == 96 * 50 + 40 * 96 + 192 * 48
  assert drawn.shape == (200, 4 + 3 * 100, 3)


def test_flow_has_the_hue_of_its_direction(tmp_path):
  flow = np.zeros((2, 96, 96, 2), np.float32)
  flow[0, :, :48, 1], flow[0, :, 48:, 1] = 3, -3  # to the right, to the left
  features = {"video": schema.pictures(2, 96, 96), "forward_flow": schema.array((2, 96, 96, 2))}
  example = {"video": sets.pngs(np.zeros((2, 96, 96, 3), np.uint8)), "forward_flow": flow}
  drawn = sheet_of(tmp_path, features, [example])
  left = drawn.shape[1] - 200
  right_flow, left_flow, still = (drawn[150, left + x].astype(int) for x in (20, 70, 150))
  assert right_flow[0] == 255 and right_flow[1] == right_flow[2] < 80
  assert left_flow[0] == 0 and left_flow[1] == left_flow[2] > 170
  assert still.tolist() == [0, 0, 0]


def test_what_cannot_be_shown_is_said(tmp_path, small_set):
  directory = records.find(f"multi_dsprites/{SMALL_SET}", small_set)
  with pytest.raises(InputError, match="--split vali: .* has train"):
    sheet.contact_sheet(directory, "vali")
  with pytest.raises(InputError, match="has no pictures to show"):
    sheet_of(tmp_path, {"label": np.int32}, [{"label": 3}])


def test_names_of_sets_that_are_not_there_are_errors(tmp_path):
  assert "multi_dsprites" in prepare.dataset_names()
  with pytest.raises(InputError, match="make it with: python -m data.prepare multi_dsprites/24px"):
    show.main(["multi_dsprites/24px_1-2", "--data-dir", str(tmp_path)])
