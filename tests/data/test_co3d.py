"""CO3D: soft masks and depths from small trees, and whatever may be wrong with one."""

import gzip
import json

import numpy as np
import pytest
from PIL import Image

from data.co3d.co3d_dataset_builder import Builder
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

SEQUENCES = {"apple/1_2_3": (14, 11), "apple/4_5_6": (9, 16), "toyplane/7_8_9": (12, 12)}
SCALES = {"1_2_3": 1.5, "4_5_6": 0.25, "7_8_9": 2.0}
FRAMES = 2


def soft_mask(seed, height, width):
  return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def depths(seed, height, width):
  """float16 with numbers that are none among them."""
  values = np.random.default_rng(seed).uniform(0.5, 9, (height, width)).astype(np.float16)
  values[0, :3] = np.nan, np.inf, -np.inf
  return values


def save_tree(root, version=1):
  annotations = {}
  for number, (name, size) in enumerate(SEQUENCES.items()):
    category, sequence = name.split("/")
    for frame in range(1, 1 + FRAMES):
      folder, file = root / name, f"frame{frame:06d}.jpg"
      raw_trees.save(folder / "images" / file, raw_trees.pixels(number, *size))
      raw_trees.save(folder / f"masks/frame{frame:06d}.png", soft_mask(number + frame, *size))
      stored = depths(number + frame, *size).view(np.uint16)
      raw_trees.save(folder / f"depths/{file}.geometric.png", stored)
      annotations.setdefault(category, []).append(
        {
          "sequence_name": sequence,
          "frame_number": frame - 1,
          "image": {"path": f"{name}/images/{file}", "size": list(size)},
          "depth": {"path": "ignored", "scale_adjustment": SCALES[sequence]},
        }
      )
  for category, frames in annotations.items():
    (root / category / "frame_annotations.jgz").write_bytes(
      gzip.compress(json.dumps(frames).encode())
    )
    if version == 1:
      (root / category / "set_lists.json").write_text("{}")
    else:
      (root / category / "set_lists").mkdir()
      (root / category / "set_lists" / "set_lists_fewview_dev.json").write_text("{}")
  return root


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
  return save_tree(tmp_path_factory.mktemp("co3d"))


@pytest.mark.parametrize("version", [1, 2])
def test_frames_are_stored_as_they_are(tmp_path, version):
  raw = save_tree(tmp_path / "raw", version)
  directory = prepare("co3d/all_depth", tmp_path / "data", raw, processes=2)
  examples = raw_trees.views(directory)
  about = records.metadata(directory)
  assert len(examples) == 3 * FRAMES and about["objects"] == list(SEQUENCES)
  assert about["depth"] == "z" and about["source"] == "CO3D, 3 sequences"
  for number, (name, size) in enumerate(SEQUENCES.items()):
    example = examples[f"{name}/frame000002"]
    jpeg = np.asarray(Image.open(raw / name / "images/frame000002.jpg"))
    np.testing.assert_array_equal(example["image"], jpeg)
    soft = soft_mask(number + 2, *size)
    np.testing.assert_array_equal(example["mask"][..., 0], soft)
    np.testing.assert_array_equal(example["segmentation"][..., 0], soft > 127)
    expected = depths(number + 2, *size).astype(np.float32) * SCALES[name.split("/")[1]]
    expected[~np.isfinite(expected)] = 0
    assert example["depth"].dtype == np.float32
    np.testing.assert_array_equal(example["depth"][..., 0], expected)
    assert example["metadata"]["frame"] == 2 and example["metadata"]["object_id"] == number
    assert example["metadata"]["object_name"] == name.encode()


def test_some_categories_without_depth(tmp_path, raw):
  directory = prepare("co3d/toyplane", tmp_path, raw, processes=1)
  (key, example), *others = raw_trees.views(directory).items()
  assert key.startswith("toyplane/7_8_9/") and len(others) == FRAMES - 1
  assert "depth" not in example and "depth" not in records.metadata(directory)


def test_smaller(tmp_path, raw):
  directory = prepare("co3d/apple_depth_8px", tmp_path, raw, processes=1)
  example = raw_trees.views(directory)["apple/4_5_6/frame000001"]
  size = (8, round(16 * 8 / 9))
  soft = Image.fromarray(soft_mask(2, 9, 16)).resize(size[::-1], Image.Resampling.BICUBIC)
  np.testing.assert_array_equal(example["mask"][..., 0], np.asarray(soft))
  np.testing.assert_array_equal(example["segmentation"][..., 0], np.asarray(soft) > 127)
  rows, columns = (
    [int((i + 0.5) * old / new) for i in range(new)] for old, new in ((9, size[0]), (16, size[1]))
  )
  stored = depths(2, 9, 16).astype(np.float32) * np.float32(0.25)
  expected = np.where(np.isfinite(stored), stored, 0)[rows][:, columns]
  np.testing.assert_array_equal(example["depth"][..., 0], expected)
  assert example["image"].shape == (*size, 3)


def annotate(raw, function):
  path = raw / "apple/frame_annotations.jgz"
  frames = json.loads(gzip.decompress(path.read_bytes()))
  path.write_bytes(gzip.compress(json.dumps(function(frames)).encode()))


DEPTH = "apple/1_2_3/depths/frame000001.jpg.geometric.png"
MASK = "apple/1_2_3/masks/frame000001.png"


@pytest.mark.parametrize(
  "damage, words",
  [
    (
      lambda r: raw_trees.cut_short(r / "apple/frame_annotations.jgz"),
      "jgz cannot be read as gzip",
    ),
    (
      lambda r: (r / "apple/frame_annotations.jgz").write_bytes(b"no"),
      "jgz cannot be read as gzip",
    ),
    (lambda r: (r / "apple/frame_annotations.jgz").unlink(), "jgz does not exist; depths need it"),
    (lambda r: annotate(r, lambda frames: {"a": 1}), "jgz does not say the depths"),
    (
      lambda r: annotate(r, lambda frames: [{"depth": {"path": "x"}}]),
      "jgz does not say the depths",
    ),
    (
      lambda r: annotate(r, lambda frames: frames[1:]),
      "images/frame000001.jpg has no scale of its",
    ),
    (lambda r: (r / DEPTH).unlink(), f"{DEPTH} does not exist"),
    (lambda r: raw_trees.cut_short(r / DEPTH), f"{DEPTH} cannot be read"),
    (
      lambda r: raw_trees.save(r / DEPTH, soft_mask(0, 14, 11)),
      "has uint8 pixels, not the 16 bits",
    ),
    (
      lambda r: raw_trees.save(r / DEPTH, depths(0, 11, 14).view(np.uint16)),
      "frame000001.jpg.geometric.png has 11x14 pixels, but .*frame000001.jpg has 14x11",
    ),
    (
      lambda r: raw_trees.save(r / MASK, raw_trees.pixels(0, 14, 11)),
      f"{MASK} is a mask in colours",
    ),
    (lambda r: raw_trees.save(r / MASK, soft_mask(0, 14, 12)), f"{MASK} has 14x12 pixels, but"),
    (lambda r: (r / MASK).unlink(), f"{MASK} does not exist"),
    (lambda r: (r / "apple/1_2_3/images").rename(r / "images"), "1_2_3/images holds no picture"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("co3d/all_depth", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)


def test_what_is_not_there(tmp_path, raw):
  with pytest.raises(InputError, match="has no category 'pear'; it has apple, toyplane"):
    prepare("co3d/apple-pear", tmp_path, raw)
  with pytest.raises(
    InputError, match="holds no CATEGORY/SEQUENCE/images .*; give the folder above"
  ):
    prepare("co3d", tmp_path, raw / "apple")
  with pytest.raises(InputError, match="holds no CATEGORY/SEQUENCE/images as CO3D does$"):
    prepare("co3d", tmp_path, tmp_path)
  with pytest.raises(InputError, match="--from .*nowhere does not exist"):
    prepare("co3d", tmp_path, tmp_path / "nowhere")


def test_damaged_frames_can_be_left_out(tmp_path):
  raw = save_tree(tmp_path / "raw")
  (raw / DEPTH).unlink()
  directory = prepare("co3d/all_depth", tmp_path / "data", raw, skip_damaged=True, processes=1)
  examples = raw_trees.views(directory)
  assert len(examples) == 3 * FRAMES - 1 and "apple/1_2_3/frame000001" not in examples


@pytest.mark.parametrize("name", ["Apple", "all_depth_", "apple-", "all_10px_depth"])
def test_other_names_show_the_grammar(name):
  with pytest.raises(InputError, match=r"all\|CATEGORY\[-CATEGORY...\]\[_depth\]\[_SIZEpx\]"):
    Builder.config_named(name)
