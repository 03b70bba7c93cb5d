"""GQN: scenes from some of the files, and whatever may be wrong with one."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data.gqn.gqn_dataset_builder import Builder
from data.prepare import prepare
from data.raw.tfrecord import parse_example
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees
from tests.data.raw_records import example, save_records

VIEWS, HEIGHT, WIDTH = 3, 16, 24
# Numbers of files and their scenes; the last 120 // 60 training files are for validation.
TRAIN, TEST = {1: 2, 117: 1, 119: 1, 120: 2}, {3: 2}
NAME = "gqn/shepard_metzler_5_parts"


def jpeg(seed, height=HEIGHT, width=WIDTH, kind="JPEG"):
  file = io.BytesIO()
  Image.fromarray(raw_trees.pixels(seed, height, width)).save(file, kind)
  return file.getvalue()


def scene(seed, views=VIEWS, **size):
  cameras = np.random.default_rng(seed).uniform(-3, 3, (views, 5)).astype(np.float32)
  frames = [jpeg(100 * seed + view, **size) for view in range(views)]
  return {"frames": frames, "cameras": cameras.ravel()}


def save_tree(root, train=TRAIN, test=TEST):
  folder = root / "shepard_metzler_5_parts"
  saved = {}
  for split, files, name in (("train", train, "{:03d}-of-120"), ("test", test, "{}-of-8")):
    for number, count in files.items():
      scenes = [scene(10 * number + index) for index in range(count)]
      path = folder / split / f"{name.format(number)}.tfrecord"
      save_records(path, map(example, scenes))
      ours = "validation" if split == "train" and number > 118 else split
      digits = path.name.partition("-")[0]
      saved |= {f"{ours}-{digits}-{i:06d}": s for i, s in enumerate(scenes)}
  return saved


def check(found, saved):
  np.testing.assert_array_equal(
    found["views"], [np.asarray(Image.open(io.BytesIO(f))) for f in saved["frames"]]
  )
  x, y, z, yaw, pitch = saved["cameras"].reshape(-1, 5).T.astype(np.float64)
  expected = np.stack([x, y, z, np.sin(yaw), np.cos(yaw), np.sin(pitch), np.cos(pitch)], axis=1)
  np.testing.assert_allclose(found["camera"], expected, rtol=0, atol=1e-6)
  assert found["camera"].dtype == np.float32


@pytest.mark.parametrize("processes", [1, 2])
def test_scenes_of_some_files(tmp_path, processes):
  saved = save_tree(tmp_path / "raw")
  directory = prepare(NAME, tmp_path / "data", tmp_path / "raw", processes=processes)
  splits = raw_trees.read(directory)
  counts = {split: len(found) for split, found in splits.items()}
  assert counts == {"train": 3, "validation": 3, "test": 2}
  found = {key: e for split in splits.values() for key, e in split.items()}
  assert set(found) == set(saved)
  assert all(key in splits[key.partition("-")[0]] for key in found)
  for key, expected in saved.items():
    check(found[key], expected)
  described = records.metadata(directory)
  assert described["source"] == "GQN shepard_metzler_5_parts, files: 2 train, 2 validation, 1 test"
  stored = tfds.builder_from_directory(directory).as_data_source("test").data_source[0]
  features = parse_example(stored)
  key = features["metadata/key"][0].decode()
  assert features["views"] == saved[key]["frames"]  # the same files, not compressed again


def test_the_folder_of_the_version_will_do(tmp_path):
  save_tree(tmp_path / "raw", {1: 1}, {})
  raw = tmp_path / "raw" / "shepard_metzler_5_parts"
  splits = raw_trees.read(prepare(NAME, tmp_path / "data", raw, processes=1))
  assert {split: list(found) for split, found in splits.items()} == {"train": ["train-001-000000"]}


@pytest.mark.parametrize(
  "word, train, validation",
  [("validation1files", 4, 2), ("validation0files", 6, 0), ("validation4files", 0, 6)],
)
def test_other_files_for_validation(tmp_path, word, train, validation):
  save_tree(tmp_path / "raw")
  directory = prepare(f"{NAME}_{word}", tmp_path / "data", tmp_path / "raw", processes=1)
  counts = {split: len(found) for split, found in raw_trees.read(directory).items()}
  wanted = {"train": train, "validation": validation, "test": 2}
  assert counts == {split: count for split, count in wanted.items() if count}


def test_configs():
  names = [config.name for config in Builder.BUILDER_CONFIGS]
  assert len(names) == 7 and "rooms_ring_camera" in names and "mazes" in names
  assert Builder.config_named("jaco_validation3files").options.validation_files == 3
  for name in ("rooms", "jaco_validation03files", "jaco_validation"):
    with pytest.raises(InputError, match="rooms_ring_camera_validation2files"):
      Builder.config_named(name)


def test_trees_that_cannot_be_used(tmp_path):
  def says(words, name=NAME, raw=tmp_path / "raw"):
    with pytest.raises(InputError) as caught:
      prepare(name, tmp_path / "data", raw, processes=1)
    assert words in str(caught.value) and "\n" not in str(caught.value)

  with pytest.raises(InputError, match="gqn is not generated.*--from RAW"):
    prepare(NAME, tmp_path / "data")
  says("does not exist")
  (tmp_path / "raw").mkdir()
  says("holds no files of shepard_metzler_5_parts: train/NNNN-of-NNNN.tfrecord")
  save_tree(tmp_path / "raw", {1: 1, 120: 1}, {})
  says("2 training files, fewer than for validation", f"{NAME}_validation3files")
  train = tmp_path / "raw" / "shepard_metzler_5_parts" / "train"
  for wrong in ("001-of-121", "1-of-120", "121-of-120", "000-of-120"):
    other = (train / "001-of-120.tfrecord").rename(train / f"{wrong}.tfrecord")
    if wrong == "1-of-120":
      save_records(train / "001-of-120.tfrecord", [])
    says(f"{train}/")
    other.rename(train / "001-of-120.tfrecord")


def altered(content):
  return content[:200] + bytes([content[200] ^ 1]) + content[201:]


BAD_SCENES = {
  "views of another size": (scene(7, height=17), "3 views of 17x24 pixels"),
  "views of two sizes": (
    scene(7) | {"frames": [jpeg(1), jpeg(2), jpeg(3, width=8)]},
    "3 views of 16x8 and 16x24 pixels",
  ),
  "fewer views": (scene(7, views=2), "2 views of 16x24 pixels"),
  "cameras of other views": (
    scene(7) | {"cameras": np.zeros(14, np.float32)},
    "14 numbers of cameras for 3 views",
  ),
  "no numbers": (
    scene(7) | {"cameras": np.full(15, np.nan, np.float32)},
    "15 numbers of cameras for 3 views",
  ),
  "no cameras": ({"frames": [jpeg(1)] * 3}, "no frames and cameras"),
  "no frames": ({"cameras": np.zeros(15, np.float32)}, "no frames and cameras"),
  "integers": (scene(7) | {"cameras": np.zeros(15, np.int64)}, "no frames and cameras"),
  "empty": (scene(7) | {"frames": []}, "no frames and cameras"),
  "JPEG cut short": (scene(7) | {"frames": [jpeg(1)[:300]] * 3}, "cannot be read as JPEG"),
  "PNG": (scene(7) | {"frames": [jpeg(1, kind="PNG")] * 3}, "cannot be read as JPEG"),
}


@pytest.mark.parametrize("name", BAD_SCENES)
def test_damaged_scenes(tmp_path, name, capsys):
  bad, words = BAD_SCENES[name]
  saved = save_tree(tmp_path / "raw")
  path = tmp_path / "raw/shepard_metzler_5_parts/train/117-of-120.tfrecord"
  good = saved["train-117-000000"]
  save_records(path, [example(good), example(bad), example(good)])
  check_damage(tmp_path, path, words)
  found = raw_trees.read(
    prepare(NAME, tmp_path / "data", tmp_path / "raw", processes=1, skip_damaged=True)
  )
  kept = [f"train-{key}" for key in ("001-000000", "001-000001", "117-000000", "117-000002")]
  assert sorted(found["train"]) == kept
  check(found["train"]["train-117-000002"], good)
  assert words in capsys.readouterr().out


@pytest.mark.parametrize(
  "damage, words, kept",
  [
    (lambda content: content[:-5], "cut short", 1),
    (lambda content: content[: len(content) // 3], "cut short", 0),
    (lambda content: content[:5], "cut short", 0),
    (lambda content: b"", "is empty", 0),
    (altered, "checksum of the record at byte 0 is wrong", 1),
    (lambda content: b"<html>not found</html>", "is not a TFRecord file", 0),
  ],
)
def test_damaged_files(tmp_path, damage, words, kept):
  save_tree(tmp_path / "raw")
  path = tmp_path / "raw/shepard_metzler_5_parts/train/001-of-120.tfrecord"
  path.write_bytes(damage(path.read_bytes()))
  check_damage(tmp_path, path, words)
  directory = prepare(NAME, tmp_path / "data", tmp_path / "raw", processes=1, skip_damaged=True)
  assert len(raw_trees.read(directory)["train"]) == kept + 1


def check_damage(tmp_path, path, words):
  with pytest.raises(InputError) as caught:
    prepare(NAME, tmp_path / "data", tmp_path / "raw", processes=1)
  said = str(caught.value)
  assert said.startswith(str(path)) and words in said and "\n" not in said
  assert not list((tmp_path / "data" / NAME).glob("*"))
