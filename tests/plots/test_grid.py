"""Grids of pictures and their files: sizes, colours at known pixels."""

import sys

import av
import numpy as np
import pytest
from PIL import Image

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.grid import below, enlarge, grid, save

WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def plain(colour, height=48, width=64):
  return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3))


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


def test_breaks_widen_the_gaps_before_rows_and_columns():
  rows = [[plain(RED)] * 3] * 2
  narrow, wide = grid(rows), grid(rows, breaks=(1, 2), row_breaks=(1,))
  assert (np.subtract(wide.shape, narrow.shape) == (12, 24, 0)).all()
  assert (wide[101:111] == 255).all() and (wide[:, 133:143] == 255).all()


def test_labels_of_several_lines():
  rows = [[plain(RED)], [plain(BLUE)]]
  one, two = (grid(rows, ["", label], ["title"]) for label in ("wide label", "wide\nlabel"))
  assert two.shape[0] == one.shape[0] and two.shape[1] < one.shape[1]
  assert grid(rows, column_labels=["two\nlines"]).shape[0] == one.shape[0] + 18


def test_below_fills_up_with_white():
  figure = below([plain(RED, 2, 3), plain(BLUE, 4, 5)])
  assert figure.shape == (6, 5, 3)
  np.testing.assert_array_equal(figure[:2, :3], plain(RED, 2, 3))
  np.testing.assert_array_equal(figure[:2, 3:], plain(WHITE, 2, 2))
  np.testing.assert_array_equal(figure[2:], plain(BLUE, 4, 5))


def test_enlarge_makes_small_images_visible():
  assert enlarge(plain(RED, 32, 64)).shape == (96, 192, 3)
  assert enlarge(plain(RED, 97, 200)).shape == (97, 200, 3)
  assert enlarge(plain(RED, 32, 64), 2).shape == (64, 128, 3)


def test_save_writes_an_animation(tmp_path):
  animation = np.stack([plain(colour, 5, 7) for colour in (RED, BLUE, WHITE)])
  save(tmp_path / "video.gif", animation)
  with Image.open(tmp_path / "video.gif") as file:
    assert file.format == "GIF" and file.n_frames == 3 and file.info["loop"] == 0
    for t, frame in enumerate(animation):
      file.seek(t)
      np.testing.assert_array_equal(np.asarray(file.convert("RGB")), frame)
      assert file.info["duration"] == 150
  assert [item.name for item in tmp_path.iterdir()] == ["video.gif"]


def test_save_writes_an_mp4_file(tmp_path, monkeypatch):
  """Smooth frames of odd sides: what is read back is near them, with a white rim."""
  shade = np.linspace(20, 230, 41)[None, :, None] * np.ones((31, 1, 3))
  animation = np.stack([shade, shade[:, ::-1], 250 - shade]).astype(np.uint8)
  save(tmp_path / "video.mp4", animation)
  with av.open(str(tmp_path / "video.mp4")) as file:
    assert file.streams.video[0].average_rate == pytest.approx(1000 / 150, rel=1e-3)
    read = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
  assert read.shape == (3, 32, 42, 3)
  assert np.abs(read[:, :30, :40].astype(int) - animation[:, :30, :40]).max() < 12
  assert read[:, 31].min() > 200 and [item.name for item in tmp_path.iterdir()] == ["video.mp4"]
  monkeypatch.setitem(sys.modules, "av", None)
  with pytest.raises(InputError, match=r"pip install 'objectcentric_jax\[video\]'"):
    save(tmp_path / "other.mp4", animation)
  assert [item.name for item in tmp_path.iterdir()] == ["video.mp4"]


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
  with pytest.raises(InputError, match="PNG files, animations GIF or mp4 files"):
    save(tmp_path / "scene.jpg", figure)
