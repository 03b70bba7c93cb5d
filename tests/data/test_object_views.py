"""Masks in all their kinds, and pairs of files."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from data.building import object_names, object_views
from data.raw.damage import Damaged
from objectcentric_jax.errors import InputError
from tests.data import raw_trees


def test_black_and_white_grey_ids_and_palettes_mean_the_same(tmp_path):
  ids = raw_trees.ids(0, objects=2)
  one = ids > 0
  white = np.where(one, np.uint8(255), np.uint8(0))
  files = {
    "white.png": (white, one, "bicubic"),
    "ones.png": (one.astype(np.uint8), one, "bicubic"),
    "bits.png": (one, one, "nearest"),
    "grey.png": (ids, ids, "bicubic"),
    "colours.png": (np.repeat(white[..., None], 3, -1), one, "bicubic"),
    "transparent.png": (np.stack([white, white, white, 255 - white], -1), one, "bicubic"),
  }
  for name, (array, expected, kind) in files.items():
    mask = object_views.read_mask(raw_trees.save(tmp_path / name, array), 2)
    np.testing.assert_array_equal(mask.ids[..., 0], expected)
    assert mask.filter == kind and mask.ids.dtype == np.uint8
  palette = raw_trees.save_palette(tmp_path / "palette.png", ids)
  np.testing.assert_array_equal(object_views.read_mask(palette, 2).ids[..., 0], ids)
  np.testing.assert_array_equal(object_views.read_mask(palette, None).ids[..., 0], one)
  assert object_views.read_mask(palette, None).filter == "nearest"


def test_the_filter_is_that_of_pillow(tmp_path):
  ids = raw_trees.ids(0)
  for path in (
    raw_trees.save_palette(tmp_path / "p.png", ids),
    raw_trees.save_grey(tmp_path / "g.png", ids),
  ):
    mask = object_views.read_mask(path, 1)
    filter = Image.Resampling[mask.filter.upper()]
    with Image.open(path) as image:
      by_default = np.asarray(image.resize((13, 8)))
      named = np.asarray(image.resize((13, 8), filter))
    np.testing.assert_array_equal(by_default, named)
    assert len(np.unique(by_default)) > 2 or mask.filter == "nearest"


@pytest.mark.parametrize(
  "array, words",
  [
    (np.full((3, 4), 128, np.uint8), "grey values 128: neither 0 and 255 nor small ids"),
    (np.arange(20, dtype=np.uint8).reshape(4, 5) * 12, "grey values 0, 12, 24, 36, ...: neither"),
    (np.full((3, 4), 3, np.uint8), "holds the id 3, more than the 2"),
    (np.full((3, 4), 1, np.uint16), "is a mask in colours or of 16 bits"),
    (np.arange(36, dtype=np.uint8).reshape(3, 4, 3), "is a mask in colours"),
  ],
)
def test_what_is_no_mask_is_named(tmp_path, array, words):
  path = raw_trees.save(tmp_path / "mask.png", array)
  with pytest.raises(Damaged, match=f"{path} .*{words}"):
    object_views.read_mask(path, 2)


def test_names_of_frames():
  assert object_views.frame_number(pathlib.Path("a1/frame000012.jpg")) == 12
  assert object_views.frame_number(pathlib.Path("00300.png")) == 300
  with pytest.raises(Damaged, match="cover.jpg has a name"):
    object_views.frame_number(pathlib.Path("2/cover.jpg"))


@pytest.mark.parametrize("name", ["..", "a/b", "../a", ".a", "", "a\\b", "a b", "a\n", "/a"])
def test_names_that_lead_elsewhere(tmp_path, name):
  with pytest.raises(InputError, match="meta.json names"):
    object_views.check_plain(name, tmp_path / "meta.json")


@pytest.mark.parametrize("name", ["003234408d", "bmx-trees", "a.b", "_a"])
def test_plain_names(tmp_path, name):
  object_views.check_plain(name, tmp_path)


def test_splits_are_stable_and_of_about_the_size_asked_for():
  keys = [f"pictures/{number}" for number in range(4000)]
  splits = [object_names.split_of(key, 10, 25) for key in keys]
  assert abs(splits.count("validation") / 4000 - 0.10) < 0.02
  assert abs(splits.count("test") / 4000 - 0.25) < 0.02
  assert {object_names.split_of(key, 0, 0) for key in keys} == {"train"}
  # A larger share only adds to what it had.
  larger = [object_names.split_of(key, 10, 40) for key in keys]
  assert all(new == "test" for old, new in zip(splits, larger, strict=True) if old == "test")
  # The numbers of one day are those of the next: two sets made apart agree.
  found = [object_names.split_of(key, 30, 30) for key in ("a", "b", "cat/1", "cat/2")]
  assert found == ["train", "test", "test", "train"]
