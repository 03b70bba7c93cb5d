"""OBJ3D: pictures and boxes in the published order, and whatever may be wrong with them."""

import numpy as np
import pytest

from data.obj3d.obj3d_dataset_builder import Builder
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

HEIGHT, WIDTH = 16, 24
COUNTS = {"train": 3, "val": 11, "test": 2}


def picture(split, number):
  return raw_trees.pixels(100 * len(split) + number, HEIGHT, WIDTH)


def boxes(number):
  """As many as the number says, up to 4: centre_x, centre_y, width, height."""
  rng = np.random.default_rng(number)
  return rng.integers(1, 64, (min(number, 4), 4)) + 0.5


def save_tree(root):
  for split, count in COUNTS.items():
    for number in range(count):
      raw_trees.save(root / split / f"{number}-{97 * number % 13}.png", picture(split, number))
      if split != "train":
        path = root / split / "bb" / f"bb_{number}.txt"
        path.parent.mkdir(exist_ok=True)
        lines = (",".join(map(str, box)) for box in boxes(number).tolist())
        path.write_text("".join(f"{line}\n" for line in lines))
  return root


def test_pictures_and_boxes_in_the_published_order(tmp_path):
  raw = save_tree(tmp_path / "raw" / "OBJ3D_LARGE").parent
  directory = prepare("obj3d/large", tmp_path / "data", raw, processes=2)
  splits = raw_trees.read(directory)
  for published, ours in (("train", "train"), ("val", "validation"), ("test", "test")):
    assert [*splits[ours]] == [f"{ours}/{number:06d}" for number in range(COUNTS[published])]
    for number, example in enumerate(splits[ours].values()):
      np.testing.assert_array_equal(example["image"], picture(published, number))
      assert example["bboxes"].shape == (4, 4)
      expected = np.zeros((4, 4))
      if ours == "train":
        assert example["num_objects"] == -1
      else:
        x, y, width, height = boxes(number).T
        edges = np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], 1)
        expected[: len(x)] = edges / 128
        assert example["num_objects"] == len(x)
      np.testing.assert_allclose(example["bboxes"], expected, rtol=0, atol=1e-7)
  described = records.metadata(directory)
  assert described["max_objects"] == 4 and described["splits_without_boxes"] == ["train"]
  assert described["source"] == "OBJ3D_LARGE: 3 train, 11 validation, 2 test"


def test_a_part_with_transparency(tmp_path):
  """Of transparent pictures the first three channels are taken, as they are."""
  colours = raw_trees.pixels(5, HEIGHT, WIDTH)
  transparent = np.dstack([colours, np.zeros((HEIGHT, WIDTH), np.uint8)])
  raw_trees.save(tmp_path / "raw" / "train" / "12-a.png", transparent)
  directory = prepare("obj3d", tmp_path / "data", tmp_path / "raw", processes=1)
  ((key, example),) = raw_trees.read(directory)["train"].items()
  assert key == "train/000012"
  np.testing.assert_array_equal(example["image"], colours)


def rewrite(path, text):
  path.write_text(text)


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda raw: (raw / "val/bb/bb_4.txt").unlink(), "val/bb/bb_4.txt does not exist"),
    (lambda raw: (raw / "test/bb").rename(raw / "boxes"), "test/bb/bb_0.txt does not exist"),
    (
      lambda raw: rewrite(raw / "val/bb/bb_11.txt", ""),
      "bb_11.txt has no picture: .*val holds 11 of them",
    ),
    (lambda raw: rewrite(raw / "val/bb/bb_2.txt", "1,2,3\n"), "bb_2.txt line 1 is not centre_x"),
    (lambda raw: rewrite(raw / "val/bb/bb_2.txt", "1,2,3,4\n1,2,-3,4\n"), "bb_2.txt line 2 is no"),
    (lambda raw: rewrite(raw / "val/bb/bb_2.txt", "1,2,nan,4\n"), "bb_2.txt line 1 is no box"),
    (lambda raw: rewrite(raw / "val/bb/bb_2.txt", "a,b,c,d\n"), "bb_2.txt line 1 is not centre_x"),
    (lambda raw: raw_trees.cut_short(next((raw / "train").glob("1-*"))), "train/1-6.png cannot"),
    (
      lambda raw: raw_trees.save(raw / "test/1-6.png", raw_trees.pixels(0, HEIGHT + 1, WIDTH)),
      "test/1-6.png has 17x24 pixels, but .*train/0-0.png has 16x24",
    ),
    (
      lambda raw: raw_trees.save(raw / "val/3-again.png", picture("val", 3)),
      "val holds number 3 twice: 3-5.png and 3-again.png",
    ),
    (
      lambda raw: raw_trees.save(raw / "val/cover.png", picture("val", 3)),
      "val/cover.png is not named <integer>-<name>",
    ),
    (
      lambda raw: [path.unlink() for path in raw.glob("train/*.png")],
      "train holds no picture",
    ),
    (
      lambda raw: [path.rename(raw / f"old {path.name}") for path in raw.glob("*")],
      "has no folder train, val, test, nor has OBJ3D_SMALL in it",
    ),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("obj3d/small", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)
  assert not list((tmp_path / "data").rglob("*.json"))


def test_damaged_pictures_can_be_left_out(tmp_path):
  raw = save_tree(tmp_path / "raw")
  (raw / "val/bb/bb_4.txt").unlink()
  rewrite(raw / "val/bb/bb_9.txt", "1,2\n")
  directory = prepare("obj3d", tmp_path / "data", raw, processes=1, skip_damaged=True)
  kept = [*raw_trees.read(directory)["validation"]]
  assert kept == [f"validation/{number:06d}" for number in range(11) if number not in (4, 9)]
  assert records.metadata(directory)["skipped"] == 2


def test_there_are_two_configs():
  with pytest.raises(InputError, match=r"obj3d config 'tiny' is not of the form small\|large"):
    Builder.config_named("tiny")
