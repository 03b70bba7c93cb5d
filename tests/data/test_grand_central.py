"""Grand Central Station: a folder of numbered frames, cut into clips when it is read."""

import numpy as np
import pytest

from configs import sections
from data.grand_central.grand_central_dataset_builder import Builder
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.examples import open_split
from tests.data import raw_trees

HEIGHT, WIDTH = 12, 18
FIRST, LAST = 3, 25  # 23 frames: the last 2 are the test split


def frame(number, height=HEIGHT, width=WIDTH):
  return np.full((height, width, 3), 10 * number, np.uint8)


def save_tree(root):
  for number in range(FIRST, LAST + 1):
    raw_trees.save(root / f"{number}.png", frame(number))
  (root / "notes.txt").write_text("not a frame")
  return root


def numbers(found):
  """Which frames pictures [..., H, W, 3] are."""
  return (found[..., 0, 0, 0] // 10).tolist()


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
  raw = save_tree(tmp_path / "raw")
  grey = np.full((HEIGHT, WIDTH, 1), 50, np.uint8)
  raw_trees.save(raw / "5.png", grey[..., 0])
  directory = prepare("grand_central", tmp_path / "data", raw, processes=2)
  splits = raw_trees.read(directory)
  assert [*splits["train"]] == [f"station/{n:06d}" for n in range(FIRST, 24)]
  assert [*splits["test"]] == ["station/000024", "station/000025"]
  for found in splits.values():
    for key, example in found.items():
      np.testing.assert_array_equal(example["image"], frame(int(key[-6:])))
  described = records.metadata(directory)
  assert described["sequences"] == {"train": [21], "test": [2]}
  assert described["frames_per_record"] == 1 and described["source"] == "23 frames"


def test_clips_and_crops(tmp_path):
  prepare("grand_central", tmp_path / "data", save_tree(tmp_path / "raw"), processes=1)
  config = sections.base().data
  config.update(name="grand_central", directory=str(tmp_path / "data"), side=6)
  config.update(fields=("image",))
  config.preprocess = (
    dict(name="clip", length=3, stride=4, starts="all", evaluation="cover"),
    dict(name="crop_each", corners=((0, 2), (6, 5)), height=6, width=6),
  )
  training = open_split(config, "train", training=True)
  assert len(training) == 2 * (21 - 8)
  found = training.read(np.array([0, 12, 13]))["video"]
  assert found.shape == (3, 3, 6, 6, 3)
  assert numbers(found) == [[3, 7, 11], [15, 19, 23], [3, 7, 11]]
  evaluation = open_split(config, "train")
  found = numbers(evaluation.read(np.arange(len(evaluation) // 2))["video"])
  assert found == [[3 + n, 7 + n, 11 + n] for n in (*range(4), 12)]


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda raw: (raw / "15.png").unlink(), "15.png does not exist"),
    (lambda raw: raw_trees.cut_short(raw / "10.png"), "10.png cannot be read"),
    (
      lambda raw: raw_trees.save(raw / "12.png", frame(12, 13)),
      "12.png has 13x18 pixels, but .*/3.png has 12x18",
    ),
    (lambda raw: raw_trees.save(raw / "007.png", frame(7)), "number 7 twice: 007.png and 7.png"),
    (lambda raw: raw_trees.save(raw / "99999999.png", frame(0)), "26.png does not exist"),
    (lambda raw: [path.unlink() for path in raw.glob("*.png")], "holds no frame"),
    (lambda raw: raw.rename(raw.parent / "moved"), "raw does not exist"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("grand_central", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)
  assert not list((tmp_path / "data").rglob("*.json"))


def test_a_sequence_is_cut_where_frames_are_left_out(tmp_path):
  raw = save_tree(tmp_path / "raw")
  raw_trees.cut_short(raw / "10.png")
  for number in (15, 16):
    (raw / f"{number}.png").unlink()
  directory = prepare("grand_central", tmp_path / "data", raw, processes=1, skip_damaged=True)
  described = records.metadata(directory)
  # Of 22 names, 16.png not being missed beside 15.png, the last 2 are for the test.
  assert described["sequences"] == {"train": [7, 4, 7], "test": [2]}
  assert described["skipped"] == 2
  assert len(raw_trees.read(directory)["train"]) == 18


def test_there_is_one_config_and_it_needs_files():
  with pytest.raises(InputError, match="grand_central config '240px' is not of the form full"):
    Builder.config_named("240px")
  with pytest.raises(InputError, match="--from RAW"):
    prepare("grand_central")
