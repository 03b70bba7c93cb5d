"""Examples: what is read from shards, made up, resized."""

import pickle

import numpy as np
import pytest

from configs import sections
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples
from objectcentric_jax.input.examples import open_split
from objectcentric_jax.input.generated import generated
from objectcentric_jax.input.resizing import nearest
from tests.conftest import SMALL_SET


def data_config(root, **changes):
  config = sections.base().data.to_dict()
  config |= {"name": f"multi_dsprites/{SMALL_SET}", "directory": str(root), "side": 32}
  return config | {"memory": 1.0, "objects": 3} | changes


@pytest.mark.parametrize(("size", "side"), [(8, 4), (8, 3), (5, 8), (64, 48), (7, 7)])
def test_resize_takes_the_pixel_of_the_floor(size, side):
  images = np.random.default_rng(0).integers(0, 256, (3, size, size, 2), dtype=np.uint8)
  resized = nearest(images, side, side)
  assert resized.shape == (3, side, side, 2) and resized.dtype == np.uint8
  for row in range(side):
    for column in range(side):
      source = images[:, int(row * size / side), int(column * size / side)]
      np.testing.assert_array_equal(resized[:, row, column], source)


def test_small_splits_are_held_and_large_ones_stream(small_set):
  held = open_split(data_config(small_set), "train")
  bytes_each = 32 * 32 * (3 + 1) + np.dtype(held.arrays["num_objects"].dtype).itemsize
  assert isinstance(held, ArrayExamples)
  limit = 40 * bytes_each / 2**30
  assert isinstance(open_split(data_config(small_set, memory=limit), "train"), ArrayExamples)
  streamed = open_split(data_config(small_set, memory=limit * 0.999), "train")
  assert not isinstance(streamed, ArrayExamples)
  indices = np.array([39, 0, 7, 7])
  for examples in (streamed, pickle.loads(pickle.dumps(streamed))):
    for name, value in examples.read(indices).items():
      np.testing.assert_array_equal(value, held.read(indices)[name])
  assert streamed.about == held.about


def test_what_is_read(small_set):
  examples = open_split(data_config(small_set), "train")
  batch = examples.read(np.arange(40))
  assert set(batch) == {"image", "segmentation", "num_objects"}
  assert batch["image"].shape == (40, 32, 32, 3) and batch["image"].dtype == np.uint8
  assert batch["segmentation"].shape == (40, 32, 32, 1)
  assert batch["segmentation"].dtype == np.uint8 and batch["segmentation"].max() <= 3
  assert set(batch["num_objects"]) == {1, 2, 3}
  assert examples.about["count"] == 40 and examples.about["split"] == "train"
  assert examples.about["labels"] == 4 and examples.about["background_ids"] == [0]
  assert examples.about["max_objects"] == 3


def test_images_and_labels_are_resized_alike(small_set):
  whole = open_split(data_config(small_set), "test").read(np.arange(8))
  for memory in (0.0, 1.0):
    half = open_split(data_config(small_set, side=16, memory=memory), "test").read(np.arange(8))
    for name in ("image", "segmentation"):
      np.testing.assert_array_equal(half[name], whole[name][:, ::2, ::2])


def test_a_part_of_a_split(small_set):
  whole = open_split(data_config(small_set), "train")
  part = open_split(data_config(small_set), "train[5:15]")
  assert len(part) == part.about["count"] == 10
  expected = whole.read(np.arange(5, 15))
  for name, value in part.read(np.arange(10)).items():
    np.testing.assert_array_equal(value, expected[name])


@pytest.mark.parametrize("split", ["tset", "train[", "train[:x]", "train[40:]", ""])
def test_an_unusable_split_is_named(small_set, split):
  with pytest.raises(InputError, match="multi_dsprites") as caught:
    open_split(data_config(small_set), split)
  assert repr(split) in str(caught.value) and "\n" not in str(caught.value)


def test_made_up_scenes_are_the_same_every_time():
  first, again = generated(32, 3, "train"), generated(32, 3, "train")
  for name, value in first.arrays.items():
    np.testing.assert_array_equal(value, again.arrays[name])
  other = generated(32, 3, "test")
  assert (first.arrays["image"] != other.arrays["image"]).any()
  longer = generated(32, 3, "train", count=100)
  assert len(longer) == 100


@pytest.mark.parametrize("side", [8, 32])
@pytest.mark.parametrize("objects", [1, 5])
def test_made_up_scenes_have_the_labels_they_declare(side, objects):
  examples = generated(side, objects, "train")
  batch = examples.read(np.arange(64))
  assert batch["image"].shape == (64, side, side, 3) and batch["image"].dtype == np.uint8
  assert batch["segmentation"].shape == (64, side, side, 1)
  assert batch["segmentation"].max(axis=(1, 2, 3)).tolist() == batch["num_objects"].tolist()
  assert set(batch["num_objects"]) == set(range(1, objects + 1))
  assert examples.about["labels"] == objects + 1 and examples.about["max_objects"] == objects
  # Every pixel of a label has one colour, the background's included.
  for image, labels in zip(batch["image"], batch["segmentation"][..., 0], strict=True):
    for label in np.unique(labels):
      assert len(np.unique(image[labels == label], axis=0)) == 1


def test_the_split_of_made_up_scenes_is_open_to_any_config():
  config = data_config("", name="generated")
  assert open_split(config, "validation").about["split"] == "validation"


FRAMED = {  # behind the axes of examples and frames
  "video": ((16, 16, 3), np.uint8),
  "views": ((16, 16, 3), np.uint8),
  "segmentation": ((16, 16, 1), np.uint8),
  "mask": ((16, 16, 1), np.uint8),
  "masks": ((4, 16, 16, 1), np.uint8),
  "amodal_masks": ((4, 16, 16, 1), np.uint8),
  "bboxes": ((4, 4), np.float32),
  "visibility": ((4,), np.uint16),
  "depth": ((16, 16, 1), np.float32),
  "forward_flow": ((16, 16, 2), np.float32),
  "backward_flow": ((16, 16, 2), np.float32),
}


def test_made_up_videos_have_every_field():
  made = generated(16, 4, "train", 5, names=(*FRAMED, "num_objects"), frames=3).arrays
  for name, (shape, dtype) in FRAMED.items():
    assert made[name].shape == (5, 3, *shape) and made[name].dtype == dtype, name
  assert made["num_objects"].shape == (5,)
  still = generated(16, 4, "train", 5, names=("image", "depth", "bboxes", "label?")).arrays
  assert {name: array.shape[1:] for name, array in still.items()} == {
    "image": (16, 16, 3),
    "depth": (16, 16, 1),
    "bboxes": (4, 4),
  }
  with pytest.raises(InputError, match="asks for 'label', which is not in made-up scenes"):
    generated(16, 4, "train", names=("image", "label"))


def test_fields_of_made_up_videos_agree():
  names = ("video", "segmentation", "masks", "amodal_masks", "bboxes", "visibility", "num_objects")
  made = generated(32, 4, "train", 6, names, frames=3).arrays
  assert (made["video"][:, 0] != made["video"][:, 2]).any(axis=(1, 2, 3)).all()  # they move
  for scene, frame, k in np.ndindex(6, 3, 4):
    mask = made["masks"][scene, frame, k, ..., 0]
    np.testing.assert_array_equal(mask > 0, made["segmentation"][scene, frame, ..., 0] == k + 1)
    assert made["visibility"][scene, frame, k] == (mask > 0).sum()
    whole = made["amodal_masks"][scene, frame, k, ..., 0]
    assert (whole >= mask).all() and whole.any() == (k < made["num_objects"][scene])
    rows, columns = np.nonzero(whole)
    ends = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1] if len(rows) else [0] * 4
    np.testing.assert_allclose(made["bboxes"][scene, frame, k] * 32, ends, atol=1e-4)


def test_made_up_scenes_take_the_steps_that_need_no_stored_size():
  steps = (
    dict(name="centre_crop", height=192, width=192),
    dict(name="object_masks", objects=2),
    dict(name="scale_crop_flip"),
  )
  config = data_config("", name="generated", objects=4, preprocess=steps)
  examples = open_split(config, "train", training=True)
  assert examples.random
  drawn = examples.read(np.arange(3), [np.random.default_rng(i) for i in range(3)])
  plain = examples.read(np.arange(3))
  for batch in (drawn, plain):
    assert batch["image"].shape == (3, 32, 32, 3) and batch["image"].dtype == np.float32
    assert batch["masks"].shape == (3, 2, 32, 32, 1)
  assert (drawn["image"] != plain["image"]).any()
  with pytest.raises(InputError, match="config.data.side is 0: made-up scenes need a size"):
    open_split(config | {"side": 0}, "train")


def test_made_up_scenes_are_called_as_the_steps_of_a_config_call_them():
  clip = (dict(name="clip", length=2),)
  config = data_config("", name="generated", frames=2, preprocess=clip, fields=("video", "depth?"))
  assert open_split(config, "train").arrays["video"].shape == (64, 2, 32, 32, 3)
  assert "video" in open_split(config | {"fields": ("image",)}, "train").arrays
  for name, step in (("video", "stills"), ("views", "view")):
    config |= {"fields": (name,), "preprocess": (dict(name=step),)}
    assert open_split(config, "train").arrays["image"].shape == (64, 32, 32, 3)
