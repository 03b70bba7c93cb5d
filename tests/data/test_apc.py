"""APC: the middles of frames and masks, the published splits, and what may be wrong."""

import random

import numpy as np
import pytest
from PIL import Image

from data.apc import frames
from data.apc.apc_dataset_builder import Builder
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

HEIGHT, WIDTH = raw_trees.HEIGHT, raw_trees.WIDTH
OBJECTS = {"shelf": ["barkely_bones", "barkely"], "tote": ["dr_browns_bottle_brush", "empty"]}
SCENES = 3  # of an object; 9 and two empty ones together


def save_frame(folder, number, seed, masked=True, size=(HEIGHT, WIDTH)):
  raw_trees.save(folder / f"frame-{number:06d}.color.png", raw_trees.pixels(seed, *size))
  raw_trees.save(folder / f"frame-{number:06d}.depth.png", raw_trees.ids(seed))
  if masked:
    mask = raw_trees.ids(seed, 1, *size)
    raw_trees.save_grey(folder / "masks" / f"frame-{number:06d}.mask.png", mask)


def save_tree(root):
  saved = {}
  for environment, names in OBJECTS.items():
    for place, name in enumerate(names):
      scenes = ["scene-empty"] if name == "empty" else [f"scene-{n:04d}" for n in range(SCENES)]
      for number, scene in enumerate(scenes):
        folder = root / "training" / environment / name / scene
        for frame in range(2):
          seed = 100 * place + 10 * number + frame
          save_frame(folder, frame, seed, masked=name != "empty")
          saved[f"{environment}/{name}/{scene}/frame-{frame:06d}"] = seed
  return saved


def build(tmp_path, name="8px", processes=1, **options):
  return prepare(f"apc/{name}", tmp_path / "data", tmp_path / "raw", processes, **options)


def middle(image, filter):
  """As torchvision resizes the short side to 8 and cuts the middle of 20x31 pixels."""
  return np.asarray(image.resize((8 * WIDTH // HEIGHT, 8), filter).crop((2, 0, 10, 8)))


@pytest.mark.parametrize("processes", [1, 2])
def test_frames_and_masks(tmp_path, processes):
  saved = save_tree(tmp_path / "raw")
  directory = build(tmp_path, processes=processes)
  found = raw_trees.views(directory)
  assert set(found) == set(saved) and len(saved) == 20
  for key, seed in saved.items():
    example = found[key]
    picture = Image.fromarray(raw_trees.pixels(seed))
    np.testing.assert_array_equal(example["image"], middle(picture, Image.Resampling.BILINEAR))
    ids = raw_trees.ids(seed) * ("empty" not in key)
    expected = middle(Image.fromarray(ids), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(example["segmentation"][..., 0], expected)
    assert example["num_objects"] == ("empty" not in key)
    environment, name, _, frame = key.split("/")
    assert example["metadata"] == {
      **{"key": key.encode(), "environment": environment.encode()},
      **{"object_name": name.encode(), "frame": int(frame[6:])},
    }
  described = records.metadata(directory)
  assert (described["labels"], described["background_ids"], described["max_objects"]) == (2, [0], 1)
  assert described["source"] == "APC 2016, frames: 16 train, 2 validation, 2 test"


def test_scenes_are_shuffled_as_published(tmp_path):
  saved = save_tree(tmp_path / "raw")
  # The order of paths as text, in which "/" comes before "_".
  scenes = sorted({key.rpartition("/")[0] for key in saved})
  assert scenes.index("shelf/barkely/scene-0002") < scenes.index("shelf/barkely_bones/scene-0000")
  random.seed(0)
  random.shuffle(scenes)
  expected = {"validation": scenes[:1], "test": scenes[1:2], "train": scenes[2:]}
  found = frames.find(tmp_path / "raw")
  for split, names in expected.items():
    keys = [frame.key for frame in found[split]]
    assert keys == sorted(keys) and {key.rpartition("/")[0] for key in keys} == set(names)


@pytest.mark.parametrize(
  "height, width, size, top, left",
  [
    (40, 31, 31, 4, 0),
    (20, 33, 20, 0, 6),
    (20, 35, 20, 0, 8),
    (480, 640, 128, 0, 21),
    (9, 9, 5, 0, 0),
  ],
)
def test_the_middle_is_that_of_torchvision(height, width, size, top, left):
  # Half a pixel is rounded to the even one: 4.5 to 4, 6.5 to 6, 7.5 to 8.
  pixels = np.random.default_rng(0).integers(0, 256, (height, width, 1), np.uint8)
  found = frames.middle(pixels, size, Image.Resampling.NEAREST)
  short = min(height, width)
  resized = Image.fromarray(pixels[..., 0]).resize(
    (size * width // short, size * height // short), Image.Resampling.NEAREST
  )
  expected = np.asarray(resized)[top : top + size, left : left + size]
  np.testing.assert_array_equal(found[..., 0], expected)


def test_masks_of_one_bit(tmp_path):
  saved = save_tree(tmp_path / "raw")
  key = next(iter(saved))
  folder, name = (tmp_path / "raw" / "training" / key).parent, key.rpartition("/")[2]
  Image.fromarray(raw_trees.ids(saved[key]) > 0).save(folder / "masks" / f"{name}.mask.png")
  found = raw_trees.views(build(tmp_path))[key]["segmentation"][..., 0]
  ids = Image.fromarray(raw_trees.ids(saved[key]))
  np.testing.assert_array_equal(found, middle(ids, Image.Resampling.NEAREST))


def test_a_part_of_the_tree_without_its_upper_folder(tmp_path):
  save_tree(tmp_path / "elsewhere")
  (tmp_path / "raw" / "shelf").mkdir(parents=True)
  (tmp_path / "elsewhere/training/shelf/barkely").rename(tmp_path / "raw/shelf/barkely")
  (tmp_path / "raw/shelf/barkely/scene-0007").mkdir()
  splits = raw_trees.read(build(tmp_path))
  assert {split: len(found) for split, found in splits.items()} == {"train": 2 * SCENES}


def test_configs():
  assert Builder.DEFAULT_CONFIG == "128px"
  for wrong in ("128", "7px", "default"):
    with pytest.raises(InputError, match="for example 128px"):
      Builder.config_named(wrong)


def test_trees_that_cannot_be_used(tmp_path):
  (tmp_path / "raw").mkdir()
  with pytest.raises(InputError, match="holds no scenes training/shelf|tote/OBJECT/scene-NNNN"):
    build(tmp_path)
  (tmp_path / "raw/tote/dove/scene-0001").mkdir(parents=True)
  with pytest.raises(InputError, match="holds no frames scene-NNNN/frame-NNNNNN.color.png"):
    build(tmp_path)


COLOUR, MASK = "frame-000001.color.png", "masks/frame-000001.mask.png"
IDS = raw_trees.ids(0)
DAMAGE = {
  "no mask": (MASK, lambda p: p.unlink(), "does not exist"),
  "no picture": (COLOUR, lambda p: p.unlink(), "does not exist"),
  "picture cut short": (COLOUR, lambda p: raw_trees.cut_short(p), "cannot be read"),
  "mask cut short": (MASK, lambda p: raw_trees.cut_short(p), "cannot be read as PNG"),
  "picture empty": (COLOUR, lambda p: p.write_bytes(b""), "is empty"),
  "no picture but text": (COLOUR, lambda p: p.write_text("<html>"), "another kind of file"),
  "mask of another size": (MASK, lambda p: raw_trees.save_grey(p, IDS[1:]), "has 19x31 pixels"),
  "grey mask": (MASK, lambda p: raw_trees.save(p, IDS * 128), "other values than black and white"),
  "ids": (MASK, lambda p: raw_trees.save(p, IDS), "other values than black and white"),
  "colours": (MASK, lambda p: raw_trees.save(p, raw_trees.pixels(0)), "other values than black"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage(tmp_path, name, capsys):
  file, damage, words = DAMAGE[name]
  save_tree(tmp_path / "raw")
  path = tmp_path / "raw/training/shelf/barkely/scene-0001" / file
  damage(path)
  with pytest.raises(InputError) as caught:
    build(tmp_path)
  said = str(caught.value)
  assert said.startswith(str(path)) and words in said and "\n" not in said
  assert not list((tmp_path / "data/apc/8px").glob("*"))
  assert len(raw_trees.views(build(tmp_path, skip_damaged=True))) == 19
  assert words in capsys.readouterr().out


def test_masks_of_empty_scenes_are_not_read(tmp_path):
  save_tree(tmp_path / "raw")
  stray = tmp_path / "raw/training/tote/empty/scene-empty/masks/frame-000000.mask.png"
  raw_trees.save(stray, IDS)
  example = raw_trees.views(build(tmp_path))["tote/empty/scene-empty/frame-000000"]
  assert not example["segmentation"].any() and example["num_objects"] == 0
