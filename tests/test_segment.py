"""Segmenting new images: which object, what is drawn, and the command on a trained model."""

import numpy as np
import pytest
from PIL import Image

from objectcentric_jax.errors import InputError
from tests.conftest import finish, functions_of, run, start

segment = functions_of("segment")

NAMES = ["cup", "dog", None]


@pytest.mark.parametrize(
  ("asked", "expected"), [("dog", 1), ("2", 2), ("0", 0)], ids=["name", "number", "first"]
)
def test_an_object_is_given_by_name_or_number(asked, expected):
  assert segment.number_of(asked, NAMES, 3) == expected


def test_the_only_object_needs_no_name():
  assert segment.number_of(None, [], 1) == 0


@pytest.mark.parametrize(
  ("asked", "message"),
  [
    (None, "--object is needed, since several are known: 0 cup, 1 dog, 2"),
    ("3", "--object 3 is not known; there are: 0 cup"),
    ("dgo", "--object dgo is not known .did you mean dog"),
  ],
)
def test_other_objects_are_errors(asked, message):
  with pytest.raises(InputError, match=message):
    segment.number_of(asked, NAMES, 3)


def test_masks_and_overlays_have_the_size_of_the_picture():
  image = np.full((6, 8, 3), 100, np.uint8)
  probability = np.zeros((4, 4, 1))
  probability[:, 2:] = 1.0
  mask, overlay = segment.drawn(image, probability)
  expected = np.zeros((6, 8), np.uint8)
  expected[:, 4:] = 255
  np.testing.assert_array_equal(mask, expected)
  assert (overlay[:, :4] == 100).all() and (overlay[:, 4:] == (255, 100, 100)).all()
  assert (image == 100).all()


def test_a_folder_without_pictures_is_an_error(tmp_path):
  (tmp_path / "notes.txt").write_text("nothing to see")
  with pytest.raises(InputError, match="holds no pictures that end in .png"):
    segment.pictures(tmp_path)
  (tmp_path / "broken.png").write_bytes(b"no picture")
  with pytest.raises(InputError, match="broken.png cannot be read as a picture"):
    segment.read(segment.pictures(tmp_path)[0])


@pytest.mark.slow
def test_the_command_segments_a_folder(tmp_path):
  config = "configs/object_pursuit/joint_generated.py:smoke"
  run("experiments.train", "--config", config, "--workdir", tmp_path / "run")
  images = tmp_path / "images"
  images.mkdir()
  for name, size in (("a.png", (40, 30)), ("b.jpg", (64, 64))):
    Image.fromarray(np.full((*size[::-1], 3), 90, np.uint8)).save(images / name)
  flags = ("--workdir", tmp_path / "run", "--images", images, "--out", tmp_path / "out")
  output = run("experiments.segment", *flags, "--object", "3")
  assert output.startswith("2 pictures")
  for kind in ("masks", "overlays"):
    sizes = [Image.open(tmp_path / "out" / kind / f"{name}.png").size for name in "ab"]
    assert sizes == [(40, 30), (64, 64)]
  status, _, errors = finish(start("experiments.segment", *flags))
  assert status == 1 and "--object is needed" in errors
