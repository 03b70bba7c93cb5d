"""Loci's HDF5: sequences with masks and depth, and whatever may be wrong with a file."""

import dataclasses
import io

import h5py
import numpy as np
import pytest
from PIL import Image

from data.loci_hdf5.loci_hdf5_dataset_builder import Builder
from data.loci_hdf5.names import NAMES, Options
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

HEIGHT, WIDTH = 10, 14
LENGTHS = (2, 3, 1, 2, 4, 2)  # of the sequences
FRAMES = sum(LENGTHS)


def encoded(pixels, kind):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, kind)
  return np.frombuffer(file.getvalue(), np.uint8)


def picture(frame):
  return raw_trees.pixels(frame, HEIGHT, WIDTH)


def depth(frame):
  return raw_trees.pixels(50 + frame, HEIGHT, WIDTH)[..., 0]


def masks(frame):
  """1 to 3 of them side by side, uint8 [N, H, W]."""
  ids = raw_trees.ids(frame, 1 + frame % 3, HEIGHT, WIDTH)
  return np.stack([np.where(ids == n, np.uint8(255), np.uint8(0)) for n in range(1, 2 + frame % 3)])


def contents():
  """The arrays of a file."""
  rows = [masks(frame) for frame in range(FRAMES)]
  counts = np.array([len(row) for row in rows])
  lengths = np.array(LENGTHS)
  shapes = np.concatenate(rows)[:, None]
  return {
    "rgb_images": [encoded(picture(frame), "JPEG") for frame in range(FRAMES)],
    "depth_images": [encoded(depth(frame), "PNG") for frame in range(FRAMES)],
    "foreground_mask": np.stack([row.max(0)[None] for row in rows]),
    "instance_masks": shapes,
    "sequence_indices": np.stack([np.cumsum(lengths) - lengths, lengths], axis=1),
    "image_instance_indices": np.stack([np.cumsum(counts) - counts, counts], axis=1),
    "instance_mask_bboxes": np.zeros((len(shapes), 4), np.uint8),
  }


def save(path, change=lambda arrays: None):
  """Writes a file whose arrays were changed."""
  arrays = contents()
  change(arrays)
  path.parent.mkdir(parents=True, exist_ok=True)
  with h5py.File(path, "w") as file:
    for name, values in arrays.items():
      if isinstance(values, list):
        stored = file.create_dataset(name, (len(values),), h5py.vlen_dtype(np.uint8))
        for row, content in enumerate(values):
          stored[row] = content
      else:
        compression = "gzip" if np.ndim(values) else None
        file.create_dataset(name, data=values, compression=compression)
  return path


def test_sequences_in_our_schema(tmp_path):
  save(tmp_path / "raw" / f"some-set-train-{HEIGHT}x{WIDTH}-v1.hdf5")
  save(tmp_path / "raw" / f"other-train-{HEIGHT}x{WIDTH}.hdf5")
  directory = prepare("loci_hdf5/some-set", tmp_path / "data", tmp_path / "raw", processes=2)
  found = raw_trees.read(directory)["train"]
  assert sorted(found) == [f"train/{number:06d}" for number in range(len(LENGTHS))]
  for number, length in enumerate(LENGTHS):
    example = found[f"train/{number:06d}"]
    first = sum(LENGTHS[:number])
    assert len(example["video"]) == length
    for time, frame in enumerate(range(first, first + length)):
      jpeg = Image.open(io.BytesIO(encoded(picture(frame), "JPEG")))
      np.testing.assert_array_equal(example["video"][time], np.asarray(jpeg))
      expected = depth(frame)[..., None] / np.float32(255)
      np.testing.assert_array_equal(example["depth"][time], expected)
      ids = raw_trees.ids(frame, 1 + frame % 3, HEIGHT, WIDTH)
      np.testing.assert_array_equal(example["segmentation"][time][..., 0], ids)
      rows, columns = np.nonzero(ids == 1)
      box = (rows.min() / 10, columns.min() / 14, (rows.max() + 1) / 10, (columns.max() + 1) / 14)
      np.testing.assert_allclose(example["bboxes"][time, 0], box, rtol=1e-6)
      assert not example["bboxes"][time, 1 + frame % 3 :].any()
    assert example["num_objects"] == max(1 + f % 3 for f in range(first, first + length))
    assert not {"mask", "amodal_masks"} & set(example)
  described = records.metadata(directory)
  assert described["labels"] == 4 and described["depth"] == "relative"
  assert described["source"] == "HDF5 of some-set, sequences: 6 train"


def overlapping(arrays):
  """The second mask of frame 2 has a hidden part where the first one is."""
  first = arrays["image_instance_indices"][2, 0]
  hidden = (arrays["instance_masks"][first] > 0) & (arrays["instance_masks"][first + 1] == 0)
  arrays["instance_masks"][first + 1][hidden] = 128


def grey_foreground(arrays):
  arrays["foreground_mask"][7, 0, 0, :3] = 200


def test_masks_that_say_more_than_ids(tmp_path):
  def change(arrays):
    overlapping(arrays)
    grey_foreground(arrays)

  path = save(tmp_path / f"set-test-{HEIGHT}x{WIDTH}.hdf5", change)
  with pytest.raises(InputError, match="frame 2 that overlap or have grades; name .* set_amodal,"):
    prepare("loci_hdf5/set", tmp_path / "data", path, processes=1)
  with pytest.raises(InputError, match="of frame 7 that is not all .* set_amodal_foreground,"):
    prepare("loci_hdf5/set_amodal", tmp_path / "data", path, processes=1)
  config = "loci_hdf5/set_amodal_foreground"
  directory = prepare(config, tmp_path / "data", path, processes=1)
  found = raw_trees.read(directory)["test"]
  arrays = contents()
  change(arrays)
  for number, length in enumerate(LENGTHS):
    example = found[f"test/{number:06d}"]
    for time in range(length):
      frame = sum(LENGTHS[:number]) + time
      np.testing.assert_array_equal(
        example["mask"][time][..., 0], arrays["foreground_mask"][frame, 0]
      )
      first, count = arrays["image_instance_indices"][frame]
      stored = arrays["instance_masks"][first : first + count, 0]
      np.testing.assert_array_equal(example["amodal_masks"][time, :count, ..., 0], stored)
      assert example["amodal_masks"].shape[1] == 3
      assert not example["amodal_masks"][time, count:].any()
      ids = raw_trees.ids(frame, 1 + frame % 3, HEIGHT, WIDTH)
      np.testing.assert_array_equal(example["segmentation"][time][..., 0], ids)


def uncompressed(arrays):
  arrays["rgb_images"] = np.stack(
    [np.moveaxis(picture(frame), -1, 0) / np.float32(255) for frame in range(FRAMES)]
  )
  arrays["depth_images"] = np.stack(
    [depth(frame)[None] / np.float32(255) for frame in range(FRAMES)]
  )


def test_uncompressed_files(tmp_path):
  path = save(tmp_path / f"set-val-{HEIGHT}x{WIDTH}.hdf5", uncompressed)
  directory = prepare("loci_hdf5/set", tmp_path / "data", path, processes=1)
  example = raw_trees.read(directory)["validation"]["validation/000001"]
  for time in range(3):
    np.testing.assert_array_equal(example["video"][time], picture(2 + time))
    np.testing.assert_array_equal(example["depth"][time, ..., 0], depth(2 + time) / np.float32(255))


def bare(arrays):
  for name in ("depth_images", "instance_masks", "sequence_indices", "image_instance_indices"):
    del arrays[name]


def test_one_sequence_with_foreground_alone(tmp_path):
  path = save(tmp_path / f"set-train-{HEIGHT}x{WIDTH}.hdf5", bare)
  directory = prepare("loci_hdf5/set", tmp_path / "data", path, processes=1)
  ((key, example),) = raw_trees.read(directory)["train"].items()
  assert key == "train/000000" and set(example) == {"video", "segmentation", "metadata"}
  for frame in range(FRAMES):
    expected = raw_trees.ids(frame, 1 + frame % 3, HEIGHT, WIDTH) > 0
    np.testing.assert_array_equal(example["segmentation"][frame][..., 0], expected)
  with pytest.raises(InputError, match="has no instance_masks for the word amodal"):
    prepare("loci_hdf5/set_amodal", tmp_path / "data", path, processes=1)


def test_a_training_file_divided(tmp_path):
  path = save(tmp_path / f"set-train-{HEIGHT}x{WIDTH}.hdf5")
  directory = prepare("loci_hdf5/set_split80", tmp_path / "data", path, processes=1)
  splits = raw_trees.read(directory)
  assert sorted(splits["train"]) == [f"train/{number:06d}" for number in range(4)]
  assert sorted(splits["validation"]) == ["train/000004", "train/000005"]


def changed(name, value):
  return lambda arrays: arrays.update({name: value(arrays[name])})


@pytest.mark.parametrize(
  "change, words",
  [
    (lambda arrays: arrays.pop("rgb_images"), "is not of this format: it has no rgb_images"),
    (changed("rgb_images", lambda a: np.float32(5)), "rgb_images is no array"),
    (changed("rgb_images", lambda a: np.array([b"text"] * FRAMES)), r"rgb_images of .S4 \(\)"),
    (lambda arrays: arrays.pop("image_instance_indices"), "cannot be read as HDF5"),
    (changed("foreground_mask", lambda a: a[:-1]), "has 13 foreground_mask for 14 rgb_images"),
    (changed("depth_images", lambda a: a[:5]), "has 5 depth_images for 14 rgb_images"),
    (changed("image_instance_indices", lambda a: a[:9]), "has 9 image_instance_indices for 14"),
    (changed("instance_masks", lambda a: a[:-1]), "image_instance_indices beyond its 26 instance"),
    (changed("sequence_indices", lambda a: a + 1), "sequence_indices beyond its 14 rgb_images"),
    (changed("sequence_indices", lambda a: a - [1, 0]), "sequence_indices beyond its 14"),
    (changed("sequence_indices", lambda a: a * [1, 0]), "holds no sequence, or one without"),
    (changed("sequence_indices", lambda a: a[:, 0]), "sequence_indices is int64 .6,."),
    (
      changed("instance_masks", lambda a: a[..., :-1]),
      r"its masks are uint8 \(1, 10, 1[34]\), uint8 \(1, 10, 1[34]\), not uint8 \(1, H, W\)",
    ),
    (changed("foreground_mask", lambda a: a.astype(np.uint16)), "its masks are uint"),
    (
      changed("rgb_images", lambda a: [*a[:3], a[3][:300], *a[4:]]),
      r"hdf5 \(rgb_images 3\) cannot be read as",
    ),
    (
      changed("rgb_images", lambda a: [*a[:3], encoded(picture(3)[1:], "JPEG"), *a[4:]]),
      "has rgb_images 3 of 9x14 pixels, not 10x14",
    ),
    (
      changed("depth_images", lambda a: [*a[:4], a[4][:40], *a[5:]]),
      r"hdf5 \(depth_images 4\) cannot be read as",
    ),
    (
      changed("depth_images", lambda a: [*a[:4], encoded(picture(4), "PNG"), *a[5:]]),
      r"has depth_images 4 of shape \(3, 10, 14\), not \(1, H, W\)",
    ),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, change, words):
  path = save(tmp_path / f"set-train-{HEIGHT}x{WIDTH}.hdf5", change)
  with pytest.raises(InputError, match=words) as caught:
    prepare("loci_hdf5/set", tmp_path / "data", path, processes=1)
  assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.02, 0.6])
def test_files_that_are_cut_short(tmp_path, share):
  path = save(tmp_path / f"set-train-{HEIGHT}x{WIDTH}.hdf5")
  raw_trees.cut_short(path, share)
  with pytest.raises(InputError, match="10x14.hdf5 cannot be read as HDF5") as caught:
    prepare("loci_hdf5/set", tmp_path / "data", path, processes=1)
  assert "\n" not in str(caught.value)


def test_damaged_sequences_can_be_left_out(tmp_path):
  change = changed("rgb_images", lambda a: [*a[:3], a[3][:300], *a[4:]])
  path = save(tmp_path / f"set-train-{HEIGHT}x{WIDTH}.hdf5", change)
  directory = prepare("loci_hdf5/set", tmp_path / "data", path, processes=1, skip_damaged=True)
  kept = sorted(raw_trees.read(directory)["train"])
  assert kept == [f"train/{number:06d}" for number in range(6) if number != 1]


def test_files_and_names_that_do_not_fit(tmp_path):
  def problem(config="set"):
    with pytest.raises(InputError) as caught:
      prepare(f"loci_hdf5/{config}", tmp_path / "data", tmp_path / "raw", processes=1)
    return str(caught.value)

  save(tmp_path / "raw" / "mine-train-10x14.hdf5")
  assert "holds no file set-<split>-<height>x<width>.hdf5; there are files of: mine" in problem()
  save(tmp_path / "raw" / "set-train-10x14-v1.hdf5")
  save(tmp_path / "raw" / "set-train-20x28.hdf5")
  assert "holds set-train-10x14-v1.hdf5 and set-train-20x28.hdf5: give one" in problem()
  save(tmp_path / "raw" / "mine-val-10x14.hdf5", lambda arrays: arrays.pop("depth_images"))
  assert "mine-val-10x14.hdf5 has depth_images: convert them sep" in problem("mine")
  save(tmp_path / "raw" / "mine-val-10x14.hdf5")
  said = "split80 divides a training file, there are train, validation"
  assert said in problem("mine_split80")


def test_names():
  for options in (Options(), Options("clevr-6", True), Options("x", False, True, True)):
    assert NAMES.parse(NAMES.spell(options)) == options
  assert NAMES.spell(dataclasses.replace(Options("x"), amodal=True)) == "x_amodal"
  for name in ("a_b", "set_foreground_amodal", "-x"):
    with pytest.raises(InputError, match="NAME"):
      Builder.config_named(name)
