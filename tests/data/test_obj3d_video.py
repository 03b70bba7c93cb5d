"""OBJ3D videos: episodes of numbered frames, and whatever may be wrong with them."""

import numpy as np
import pytest

from data.obj3d_video.obj3d_video_dataset_builder import Builder
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

HEIGHT, WIDTH = 12, 14
EPISODES = {"train": (2, 10, 0), "val": (1,)}
FRAMES = 11


def frame(split, episode, number):
  return raw_trees.pixels(1000 * len(split) + 50 * episode + number, HEIGHT, WIDTH)


def save_tree(root):
  for split, episodes in EPISODES.items():
    for episode in episodes:
      for number in range(FRAMES):
        path = root / split / str(episode) / f"test_{number}.png"
        raw_trees.save(path, frame(split, episode, number))
      raw_trees.save(root / split / str(episode) / "preview.png", frame(split, episode, 0)[:5])
  return root


@pytest.mark.parametrize("name, count", [("all", FRAMES), ("all_first4", 4)])
def test_frames_in_the_order_of_their_numbers(tmp_path, name, count):
  raw = save_tree(tmp_path / "raw" / "OBJ3D").parent
  directory = prepare(f"obj3d_video/{name}", tmp_path / "data", raw, processes=1)
  splits = raw_trees.read(directory)
  assert sorted(splits["train"]) == ["train/00000", "train/00002", "train/00010"]
  assert sorted(splits["validation"]) == ["validation/00001"]
  for key, example in splits["train"].items():
    expected = [frame("train", int(key[-5:]), number) for number in range(count)]
    np.testing.assert_array_equal(example["video"], expected)
  assert records.metadata(directory)["source"] == "OBJ3D episodes: 3 train, 1 validation"


def test_episodes_may_differ_in_length(tmp_path):
  raw = save_tree(tmp_path / "raw")
  (raw / "train/2/test_10.png").unlink()
  directory = prepare("obj3d_video", tmp_path / "data", raw, processes=2)
  found = raw_trees.read(directory)["train"]
  assert {key: len(e["video"]) for key, e in found.items()} == {
    "train/00000": 11,
    "train/00002": 10,
    "train/00010": 11,
  }


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda raw: (raw / "train/2/test_3.png").unlink(), "train/2/test_3.png does not exist"),
    (lambda raw: raw_trees.cut_short(raw / "val/1/test_0.png"), "val/1/test_0.png cannot be read"),
    (
      lambda raw: raw_trees.save(raw / "val/1/test_2.png", raw_trees.pixels(0, 13, WIDTH)),
      "val/1/test_2.png has 13x14 pixels, but .*train/0/test_0.png has 12x14",
    ),
    (lambda raw: (raw / "train/2/test_10.png").unlink(), "train/2 holds 10 frames, fewer than"),
    (lambda raw: [p.unlink() for p in raw.glob("train/2/test*")], "train/2 holds no frame test_"),
    (lambda raw: (raw / "train/7").mkdir(), "train/7 holds no frame test_"),
    (lambda raw: (raw / "train/02").mkdir(), "train holds number 2 twice: 02 and 2"),
    (lambda raw: (raw / "test").mkdir(), "test holds no folder of an episode"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare(f"obj3d_video/all_first{FRAMES}", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)


@pytest.mark.parametrize("name", ["first30", "all_first0", "all_first"])
def test_other_names_show_the_grammar(name):
  with pytest.raises(InputError, match=r"all\[_firstN\], for example all or all_first30"):
    Builder.config_named(name)
