"""Multi-Object Datasets: every file, splits by the order of records, and what may be wrong."""

import gzip

import numpy as np
import pytest

from data.multi_objects import files
from data.multi_objects.layouts import LAYOUTS
from data.multi_objects.multi_objects_dataset_builder import Builder
from data.multi_objects.names import NAMES
from data.multi_objects.scenes import segmentation
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees
from tests.data.raw_records import example, save_records

# height, width, channels, entities, backgrounds, whether masks are stored with entities last
PUBLISHED = {
  "multi_dsprites_binarized": (64, 64, 1, 4, 1, True),
  "multi_dsprites_colored_on_grayscale": (64, 64, 3, 6, 1, True),
  "multi_dsprites_colored_on_colored": (64, 64, 3, 5, 1, True),
  "objects_room": (64, 64, 3, 7, 4, False),
  "objects_room_six_objects": (64, 64, 3, 10, 4, False),
  "objects_room_empty_room": (64, 64, 3, 4, 4, False),
  "objects_room_identical_color": (64, 64, 3, 10, 4, False),
  "clevr_with_masks": (240, 320, 3, 11, 1, False),
  "tetrominoes": (35, 35, 3, 4, 1, False),
}
FILES = {
  "objects_room": "objects_room/objects_room_train.tfrecords",
  "objects_room_six_objects": "objects_room/objects_room_test_six_objects.tfrecords",
  "objects_room_empty_room": "objects_room/objects_room_test_empty_room.tfrecords",
  "objects_room_identical_color": "objects_room/objects_room_test_identical_color.tfrecords",
  "clevr_with_masks": "clevr_with_masks/clevr_with_masks_train.tfrecords",
  "tetrominoes": "tetrominoes/tetrominoes_train.tfrecords",
} | {name: f"multi_dsprites/{name}.tfrecords" for name in PUBLISHED if "dsprites" in name}
FLOATS = {
  "multi_dsprites": ("x", "y", "shape", "color", "visibility", "orientation", "scale"),
  "clevr_with_masks": ("x", "y", "z", "rotation", "pixel_coords", "visibility"),
  "tetrominoes": ("x", "y", "shape", "color", "visibility"),
}
CODES = ("size", "material", "shape", "color")  # of clevr_with_masks


def scene(name, seed, there=None):
  """What is published of a scene, the entities in each pixel, and how many objects there are."""
  height, width, channels, entities, backgrounds, last = PUBLISHED[name]
  rng = np.random.default_rng(seed)
  there = there or int(rng.integers(backgrounds, entities + 1))
  ids = np.minimum(raw_trees.ids(seed, entities, height, width), there - 1)
  ids = np.where(ids == 0, rng.integers(0, backgrounds, ids.shape), ids)
  masks = (ids == np.arange(entities)[:, None, None]).astype(np.uint8) * 255
  image = raw_trees.pixels(seed, height, width)[..., :channels]
  published = {"image": image, "mask": np.moveaxis(masks, 0, 2) if last else masks}
  (group,) = [g for g in FLOATS if name.startswith(g)] or [None]
  for factor in FLOATS.get(group, ()):
    values = {"pixel_coords": 3, "color": channels}.get(factor, 1)
    published[factor] = rng.normal(size=entities * values).astype(np.float32)
  if "visibility" in published:
    published["visibility"] = (np.arange(entities) < there).astype(np.float32)
  if name == "clevr_with_masks":
    published |= {c: rng.integers(1, 9, entities, np.uint8) for c in CODES}
  objects = there - backgrounds if group else len(set(np.unique(ids)) - set(range(backgrounds)))
  return published, ids, objects


def save(path, name, seeds):
  return save_records(path, (example(scene(name, s)[0]) for s in seeds), compressed=True)


def build(tmp_path, name, raw, processes=1, **options):
  return prepare(f"multi_objects/{name}", tmp_path / "data", raw, processes, **options)


def keys(directory):
  return {split: sorted(found) for split, found in raw_trees.read(directory).items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_file(tmp_path, name):
  height, width, channels, entities, backgrounds, _ = PUBLISHED[name]
  save(tmp_path / "raw" / FILES[name], name, [1, 2])
  directory = build(tmp_path, name, tmp_path / "raw")
  found = raw_trees.read(directory)["test"]
  assert sorted(found) == ["test-00000000", "test-00000001"]
  for index, stored in enumerate(found[key] for key in sorted(found)):
    published, ids, objects = scene(name, 1 + index)
    np.testing.assert_array_equal(stored["image"], published["image"])
    np.testing.assert_array_equal(stored["segmentation"], ids[..., None])
    assert stored["image"].shape == (height, width, channels)
    assert stored["num_objects"] == objects
    factors = {n: values for n, values in published.items() if n not in ("image", "mask")}
    assert set(stored.get("factors", {})) == set(factors)
    for factor, values in factors.items():
      read = stored["factors"][factor]
      np.testing.assert_array_equal(read.ravel(), values)
      assert read.dtype == values.dtype and len(read) == entities
      assert read.ndim == (2 if values.size > entities or factor == "pixel_coords" else 1)
  described = records.metadata(directory)
  assert described["labels"] == entities and described["max_objects"] == entities - backgrounds
  assert described["background_ids"] == list(range(backgrounds))
  size = (tmp_path / "raw" / FILES[name]).stat().st_size
  assert described["source"] == f"{FILES[name].rpartition('/')[2]} of {size} bytes"


def test_hidden_objects_count_where_the_file_says_they_exist(tmp_path):
  published, ids, _ = scene("tetrominoes", 3, there=4)
  published["mask"] = published["mask"] * (np.arange(4) != 2)[:, None, None].astype(np.uint8)
  record = example(published)
  path = save_records(tmp_path / "some.tfrecords", [record], compressed=True)
  (stored,) = raw_trees.views(build(tmp_path, "tetrominoes", path)).values()
  assert stored["num_objects"] == 3
  np.testing.assert_array_equal(stored["segmentation"][..., 0], np.where(ids == 2, 0, ids))


def test_the_last_of_several_entities_counts():
  masks = np.array([[[255, 255, 0, 255]], [[255, 0, 0, 255]], [[255, 0, 0, 0]]], np.uint8)
  np.testing.assert_array_equal(segmentation(masks)[0, :, 0], [2, 0, 0, 1])


# Splits


@pytest.mark.parametrize(
  "options, expected",
  [
    ("train3_validation2_test1", {"train": [3, 4, 5], "validation": [1, 2], "test": [0]}),
    ("train100_validation2_test4", {"train": [6, 7], "validation": [4, 5], "test": [0, 1, 2, 3]}),
    ("validation0_test3", {"train": [3, 4, 5, 6, 7], "test": [0, 1, 2]}),
    ("train0_validation2_test1", {"validation": [1, 2], "test": [0]}),
    ("train2_validation0_test0", {"train": [0, 1]}),
    ("test6", {"validation": [6, 7], "test": [0, 1, 2, 3, 4, 5]}),
    ("train0", {"test": list(range(8))}),
  ],
)
def test_splits_are_by_the_order_of_records(tmp_path, options, expected):
  path = save(tmp_path / "tetrominoes_train.tfrecords", "tetrominoes", range(8))
  directory = build(tmp_path, f"tetrominoes_{options}", tmp_path)
  splits = raw_trees.read(directory)
  assert set(splits) == set(expected)
  for split, numbers in expected.items():
    assert sorted(splits[split]) == [f"{split}-{number:08d}" for number in numbers]
    for number in numbers:
      image = scene("tetrominoes", number)[0]["image"]
      np.testing.assert_array_equal(splits[split][f"{split}-{number:08d}"]["image"], image)
  assert path.is_file()


def test_files_that_are_longer_than_a_look_at_their_beginning(tmp_path, capsys):
  count = files.SAMPLE + 8
  path = save(tmp_path / "some", "tetrominoes", range(count))
  found = keys(build(tmp_path, f"tetrominoes_train5_validation{files.SAMPLE}_test20", path))
  assert {split: len(names) for split, names in found.items()} == {"test": 20, "validation": 20}
  assert "made: 20 test, 20 validation" in capsys.readouterr().out
  found = keys(build(tmp_path, "tetrominoes_train500_validation1_test2", path))
  counts = {split: len(names) for split, names in found.items()}
  assert counts == {"test": 2, "validation": 1, "train": count - 3}


def test_the_size_of_a_file_is_estimated(tmp_path):
  path = save(tmp_path / "some", "tetrominoes", range(files.SAMPLE + 3))
  sample = files.first_records(path)
  assert len(sample) == files.SAMPLE
  assert abs(files.estimated_count(path, sample) - files.SAMPLE - 3) <= 3
  assert files.count(path, 10) == 10 and files.count(path, 99) == files.SAMPLE + 3


def test_shards_do_not_depend_on_processes(tmp_path):
  path = save(tmp_path / "some", "multi_dsprites_binarized", range(9))
  shards = []
  for processes in (1, 3):
    folder = tmp_path / str(processes)
    folder.mkdir()
    directory = build(folder, "multi_dsprites_binarized_test7", path, processes)
    shards.append({p.name: p.read_bytes() for p in directory.glob("*.array_record-*")})
  assert shards[0] == shards[1] and len(shards[0]) == 2


def test_beam_cannot_divide_one_compressed_file(tmp_path):
  path = save(tmp_path / "some", "tetrominoes", [1])
  builder = Builder(config="tetrominoes", data_dir=tmp_path / "data", raw=path)
  builder.beam_notes = tmp_path / "notes"
  with pytest.raises(InputError, match="--beam: some of .* can only be read from its beginning"):
    builder._split_generators(None)


def test_configs():
  assert {config.name for config in Builder.BUILDER_CONFIGS} == set(LAYOUTS) == set(PUBLISHED)
  counts = {name: NAMES.parse(name).counts for name in LAYOUTS}
  assert counts["tetrominoes"] == counts["multi_dsprites_binarized"]
  assert counts["tetrominoes"] == {"test": 10_000, "validation": 10_000, "train": 40_000}
  assert counts["objects_room"]["train"] == 980_000
  assert counts["clevr_with_masks"]["train"] == 50_000
  assert counts["objects_room_empty_room"] == {"test": 10**9, "validation": 0, "train": 0}
  name = "objects_room_six_objects_train700_test300"
  assert NAMES.parse(name).counts == {"test": 300, "validation": 0, "train": 700}
  assert NAMES.spell(NAMES.parse(name)) == name
  assert NAMES.spell(NAMES.parse("tetrominoes_train40000_test5")) == "tetrominoes_test5"
  for wrong in ("clevr", "tetrominoes_test5_train5", "tetrominoes_test05"):
    with pytest.raises(InputError, match="objects_room_train50000"):
      NAMES.parse(wrong)


# Damage


def says(tmp_path, words, raw, name="tetrominoes"):
  with pytest.raises(InputError) as caught:
    build(tmp_path, name, raw)
  assert words in str(caught.value) and "\n" not in str(caught.value)
  assert not list((tmp_path / "data" / "multi_objects" / name).glob("*"))
  return str(caught.value)


def test_trees_that_cannot_be_used(tmp_path):
  says(tmp_path, "does not exist", tmp_path / "raw")
  (tmp_path / "raw").mkdir()
  says(tmp_path, "holds neither tetrominoes/tetrominoes_train.tfrecords nor", tmp_path / "raw")
  path = save(tmp_path / "file", "tetrominoes", [1])
  says(tmp_path, "every split is empty", path, "tetrominoes_train0_validation0_test0")


FILE_DAMAGE = {
  "cut short": (lambda c: c[: len(c) - 20], "GZIP stream does not end; was it fully downloaded?"),
  "unpacked": (gzip.decompress, "is not compressed with GZIP: give the file as it was downloaded"),
  "a page": (lambda c: b"<html>quota exceeded</html>", "is not compressed with GZIP"),
  "empty": (lambda c: b"", "is empty"),
  "no records": (lambda c: gzip.compress(b""), "holds no record"),
  "other content": (lambda c: gzip.compress(b"text" * 99), "is not a TFRecord file"),
}


@pytest.mark.parametrize("damage", FILE_DAMAGE)
def test_damaged_files(tmp_path, damage):
  function, words = FILE_DAMAGE[damage]
  path = save(tmp_path / "tetrominoes_train.tfrecords", "tetrominoes", range(3))
  path.write_bytes(function(path.read_bytes()))
  assert says(tmp_path, words, path).startswith(str(path))


def test_what_was_downloaded_can_be_used(tmp_path, capsys):
  seeds = range(40)
  path = save(tmp_path / "some", "tetrominoes", seeds)
  raw_trees.cut_short(path, 0.6)
  name = "tetrominoes_train3_validation3_test3"
  says(tmp_path, "does not end", path, "tetrominoes_train50_validation3_test3")
  found = keys(build(tmp_path, name, path))  # needs no more
  assert {split: len(names) for split, names in found.items()} == {s: 3 for s in found}
  for name in ("tetrominoes_train50_validation3_test3", "tetrominoes"):
    found = keys(build(tmp_path, name, path, skip_damaged=True))
    assert "left out 1 damaged" in capsys.readouterr().out
    assert list(found) == ["test"] if name == "tetrominoes" else sorted(found)
    assert 15 < sum(map(len, found.values())) < 30


def bad(**changes):
  published = scene("tetrominoes", 5)[0]
  return {name: v for name, v in (published | changes).items() if v is not None}


BAD_SCENES = {
  "another file": (scene("multi_dsprites_binarized", 5)[0], "image has 4096 values"),
  "no masks": (bad(mask=None), "mask is missing where (4, 35, 35) are expected"),
  "a factor less": (bad(x=None), "x is missing"),
  "factors of more entities": (bad(y=np.zeros(5, np.float32)), "y has 5 values"),
  "grey masks": (bad(mask=np.full((4, 35, 35), 7, np.uint8)), "mask values that are not 0 and 255"),
  "longer texts": (bad(image=[b"abc"]), "a text is not of one byte"),
}


@pytest.mark.parametrize("name", BAD_SCENES)
def test_damaged_scenes(tmp_path, name, capsys):
  published, words = BAD_SCENES[name]
  good = [example(scene("tetrominoes", seed)[0]) for seed in range(3)]
  contents = [good[0], example(published), *good[1:]]
  path = save_records(tmp_path / "some", contents, compressed=True)
  config = "tetrominoes_validation1_test2"
  assert says(tmp_path, words, path, config).startswith(str(path))
  found = keys(build(tmp_path, config, path, processes=2, skip_damaged=True))
  assert found == {s: [f"{s}-{n:08d}"] for s, n in (("test", 0), ("train", 3), ("validation", 2))}
  assert words in capsys.readouterr().out
