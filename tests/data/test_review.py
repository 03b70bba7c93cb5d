"""The review's sets: both formats, ids and shapes, and whatever may be wrong with a file."""

import sys

import h5py
import numpy as np
import pytest

from data.prepare import prepare
from data.review import hdf5
from data.review.review_dataset_builder import Builder
from data.review.scenes import Size
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees
from tests.data.raw_records import example, save_records

SIDE = 16
SPLITS = {"train": "train", "validation": "valid", "test": "test", "generalization": "general"}
COUNTS = {"train": 5, "validation": 2, "test": 3, "generalization": 4}
OBJECTS = {"train": 3, "validation": 3, "test": 3, "generalization": 5}  # at most


def scenes(split, height=SIDE, width=SIDE, count=None):
  """The published arrays of a split."""
  count, most = count or COUNTS[split], OBJECTS[split]
  rng = np.random.default_rng(most)
  masks = np.zeros((count, most + 1, height, width, 1), np.uint8)
  masks[:, -1] = 255
  for number in range(count):
    for place in range(1 + number % most):
      top, left = rng.integers(0, 8, 2)
      masks[number, place, top : top + 6, left : left + 7] = 255 if place else 200  # soft edges
  segment = np.argmax(masks[..., 0] > 0, axis=1).astype(np.uint8)
  image = np.stack([raw_trees.pixels(most * 10 + n, height, width) for n in range(count)])
  overlap = (masks[..., 0] > 0).sum(1).astype(np.uint8)
  return {"image": image, "segment": segment, "overlap": overlap, "masks": masks}


def save_hdf5(path, splits=SPLITS, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  with h5py.File(path, "w") as file:
    for split in splits:
      for name, array in scenes(split, **options).items():
        file.create_dataset(f"{SPLITS[split]}/{name}", data=array, compression="gzip", chunks=True)
  return path


def save_tfrecords(folder, splits=SPLITS, **options):
  for split in splits:
    arrays = scenes(split, **options)
    kinds = ("image", "segment", "overlap")
    contents = [
      example({kind: arrays[kind][n] for kind in kinds}) for n in range(len(arrays["image"]))
    ]
    save_records(folder / f"{SPLITS[split]}.tfrecord", contents, compressed=True)


def build(tmp_path, raw=None, name="shapes", processes=1, **options):
  return prepare(f"review/{name}", tmp_path / "data", raw or tmp_path / "raw", processes, **options)


def check(directory, amodal, splits=SPLITS):
  found = raw_trees.read(directory)
  assert set(found) == set(splits)
  for split in splits:
    arrays = scenes(split)
    assert sorted(found[split]) == [f"{split}-{n:06d}" for n in range(COUNTS[split])]
    for number in range(COUNTS[split]):
      stored = found[split][f"{split}-{number:06d}"]
      segment, masks = arrays["segment"][number], arrays["masks"][number]
      np.testing.assert_array_equal(stored["image"], arrays["image"][number])
      ids = np.where(segment == OBJECTS[split], 0, segment + 1)
      np.testing.assert_array_equal(stored["segmentation"][..., 0], ids)
      visible = len(set(ids.ravel()) - {0})
      assert stored["num_objects"] == (1 + number % OBJECTS[split] if amodal else visible)
      assert ("amodal_masks" in stored) == amodal
      if amodal:
        np.testing.assert_array_equal(stored["amodal_masks"], masks[:-1])
  described = records.metadata(directory)
  most = max(OBJECTS[split] for split in splits)
  assert (described["labels"], described["max_objects"]) == (most + 1, most)
  assert described["background_ids"] == [0]
  return described["source"]


@pytest.mark.parametrize("processes", [1, 2])
def test_hdf5(tmp_path, processes):
  save_hdf5(tmp_path / "raw" / "shapes.h5")
  directory = build(tmp_path, processes=processes)
  assert check(directory, amodal=True) == "review shapes: shapes.h5"


def test_tfrecords(tmp_path):
  save_tfrecords(tmp_path / "raw" / "shapes")
  source = check(build(tmp_path, processes=2), amodal=False)
  assert source == "review shapes: train.tfrecord, valid.tfrecord, test.tfrecord, general.tfrecord"


def test_the_file_or_its_own_folder_will_do(tmp_path):
  path = save_hdf5(tmp_path / "other.h5", ["test"])
  check(build(tmp_path, path), True, ["test"])
  save_tfrecords(tmp_path / "folder", ["generalization", "train"])
  directory = build(tmp_path, tmp_path / "folder", "mnist")
  check(directory, False, ["train", "generalization"])


def test_hdf5_holds_more_and_is_taken_where_there_are_both(tmp_path):
  save_hdf5(tmp_path / "raw" / "shapes.h5")
  save_tfrecords(tmp_path / "raw" / "shapes")
  check(build(tmp_path), amodal=True)


def test_scenes_that_are_compressed_together_are_read_together(tmp_path):
  path = save_hdf5(tmp_path / "raw" / "shapes.h5", ["train"], count=70)
  with h5py.File(path) as file:
    together = max(file[f"train/{name}"].chunks[0] for name in ("image", "segment", "masks"))
  found = [(b.start, b.stop) for b in hdf5.batches(path, "train", Size(70, SIDE, SIDE, 3))]
  step = max(16, together)
  assert found == [(start, min(70, start + step)) for start in range(0, 70, step)]
  directory = build(tmp_path)
  stored = raw_trees.read(directory)["train"]
  expected = scenes("train", count=70)
  assert len(stored) == 70
  for number in range(70):
    np.testing.assert_array_equal(stored[f"train-{number:06d}"]["image"], expected["image"][number])


def test_pictures_without_background(tmp_path):
  """The id of the background is known from the other pictures of a file."""
  arrays = scenes("test")
  arrays["segment"][0] = 1
  contents = [example({kind: arrays[kind][n] for kind in ("image", "segment")}) for n in range(3)]
  save_records(tmp_path / "raw" / "gso" / "test.tfrecord", contents, compressed=True)
  found = raw_trees.read(build(tmp_path, name="gso"))["test"]["test-000000"]
  assert (found["segmentation"] == 2).all() and found["num_objects"] == 1


def test_configs():
  names = [config.name for config in Builder.BUILDER_CONFIGS]
  assert names == ["mnist", "dsprites", "shapes", "abstract", "clevr", "shop", "gso"]
  with pytest.raises(InputError, match="mnist|dsprites"):
    Builder.config_named("all")


# Damage


def says(tmp_path, path, words, **options):
  with pytest.raises(InputError) as caught:
    build(tmp_path, **options)
  said = str(caught.value)
  assert said.startswith(str(path)) and words in said and "\n" not in said
  assert not list((tmp_path / "data/review/shapes").glob("*"))


def rewritten(split="train", **arrays):
  """A file whose split has other arrays; None for none."""

  def change(path):
    with h5py.File(path, "a") as file:
      for name, array in arrays.items():
        del file[split][name]
        if array is not None:
          file[split][name] = array

  return change


TRAIN = scenes("train")
HDF5_DAMAGE = {
  "cut short": (lambda p: raw_trees.cut_short(p, 0.6), "cannot be read as HDF5"),
  "empty": (lambda p: p.write_bytes(b""), "cannot be read as HDF5"),
  "text": (lambda p: p.write_text("<html>"), "cannot be read as HDF5"),
  "no masks": (rewritten(masks=None), "train/masks is no array of 8-bit numbers"),
  "floats": (rewritten(image=TRAIN["image"] / 255), "train/image is no array of 8-bit numbers"),
  "fewer ids": (rewritten(segment=TRAIN["segment"][1:]), "train has arrays of the shapes"),
  "grey": (rewritten(image=TRAIN["image"][..., :1]), "train has arrays of the shapes"),
  "no axis of colours": (rewritten(masks=TRAIN["masks"][..., 0]), "train has arrays of the shapes"),
  "other masks": (rewritten(masks=TRAIN["masks"][:, :, 1:]), "train has arrays of the shapes"),
  "other ids": (rewritten(segment=TRAIN["segment"] + 9), "has the id"),
}


@pytest.mark.parametrize("name", HDF5_DAMAGE)
def test_damaged_hdf5(tmp_path, name):
  damage, words = HDF5_DAMAGE[name]
  path = save_hdf5(tmp_path / "raw" / "shapes.h5")
  damage(path)
  says(tmp_path, path, words)


def test_altered_hdf5(tmp_path, capsys):
  path = save_hdf5(tmp_path / "raw" / "shapes.h5")
  with h5py.File(path) as file:
    chunk = file["valid/image"].id.get_chunk_info(0)
  content = bytearray(path.read_bytes())
  content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
  path.write_bytes(content)
  says(tmp_path, path, "cannot be read as HDF5")
  with pytest.raises(InputError, match="nothing of the split validation can be used"):
    build(tmp_path, skip_damaged=True)
  capsys.readouterr()


def test_splits_must_agree_in_size(tmp_path):
  path = save_hdf5(tmp_path / "raw" / "shapes.h5", ["test"])
  with h5py.File(path, "a") as file:
    for name, array in scenes("train", height=17).items():
      file[f"train/{name}"] = array
  says(tmp_path, "--from", "has splits of pictures of different sizes")


def test_files_that_are_not_there(tmp_path):
  (tmp_path / "raw").mkdir()
  says(tmp_path, "--from", "holds neither shapes.h5 nor shapes/train.tfrecord and its like")
  h5py.File(tmp_path / "raw" / "shapes.h5", "w").close()
  says(tmp_path, "--from", "shapes.h5 holds no split")


def test_what_is_needed_for_hdf5_is_said(tmp_path, monkeypatch):
  path = save_hdf5(tmp_path / "raw" / "shapes.h5", ["test"])
  monkeypatch.setitem(sys.modules, "h5py", None)
  says(tmp_path, path, "needs h5py: pip install 'objectcentric_jax[hdf5]'")


def bad(**changes):
  arrays = {kind: scenes("train")[kind][0] for kind in ("image", "segment")} | changes
  return example({kind: array for kind, array in arrays.items() if array is not None})


OTHER = scenes("train", height=9, width=9)
RECORD_DAMAGE = {
  "another size": (bad(image=OTHER["image"][0], segment=OTHER["segment"][0]), "has 9x9 pixels"),
  "no ids": (bad(segment=None), "image has 768 values, segment 0"),
  "not square": (bad(segment=np.zeros(250, np.uint8)), "image has 768 values, segment 250"),
  "texts": (bad(image=[b"abc"]), "a text is not of one byte"),
}


@pytest.mark.parametrize("name", RECORD_DAMAGE)
def test_damaged_records(tmp_path, name, capsys):
  record, words = RECORD_DAMAGE[name]
  path = tmp_path / "raw" / "shapes" / "train.tfrecord"
  # The last alone tells the id of the background.
  everywhere = bad(segment=np.zeros((SIDE, SIDE), np.uint8))
  save_records(path, [everywhere, record, bad()], compressed=True)
  says(tmp_path, path, words)
  found = raw_trees.read(build(tmp_path, skip_damaged=True))["train"]
  assert sorted(found) == ["train-000000", "train-000002"]
  assert (found["train-000000"]["segmentation"] == 1).all()
  assert words in capsys.readouterr().out


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda c: c[:-30], "GZIP stream does not end"),
    (lambda c: b"text", "is not compressed with GZIP"),
    (lambda c: b"", "is empty"),
  ],
)
def test_damaged_record_files(tmp_path, damage, words):
  save_tfrecords(tmp_path / "raw" / "shapes")
  path = tmp_path / "raw" / "shapes" / "general.tfrecord"
  path.write_bytes(damage(path.read_bytes()))
  says(tmp_path, path, words)
