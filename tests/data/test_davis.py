"""DAVIS: both years from small trees, and whatever may be wrong with one."""

import numpy as np
import pytest
from PIL import Image

from data.davis.davis_dataset_builder import Builder
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees
from tests.data.raw_trees import HEIGHT, WIDTH

SEQUENCES = {"bear": "train", "swan": "val", "goat": "train"}
FRAMES = 2


def save_tree(root, year="2016", resolution="480p", lists="2016"):
  for number, name in enumerate(sorted(SEQUENCES)):
    for frame in range(FRAMES):
      images = root / "JPEGImages" / resolution / name
      raw_trees.save(images / f"{frame:05d}.jpg", raw_trees.pixels(10 * number + frame))
      mask = root / "Annotations" / resolution / name / f"{frame:05d}.png"
      if year == "2016":
        raw_trees.save_grey(mask, raw_trees.ids(number + frame))
      else:
        raw_trees.save_palette(mask, raw_trees.ids(number + frame, objects=1 + number))
  for split in ("train", "val"):
    path = root / "ImageSets" / lists / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [name for name, own in SEQUENCES.items() if own == split]
    path.write_text("".join(f"{name}\n" for name in names) + "\n")
  return root


def test_frames_are_stored_as_they_are(tmp_path):
  raw = save_tree(tmp_path / "raw")
  directory = prepare("davis/2016", tmp_path / "data", raw, processes=2)
  splits = raw_trees.read(directory)
  assert sorted(splits["train"]) == ["bear/00000", "bear/00001", "goat/00000", "goat/00001"]
  assert sorted(splits["validation"]) == ["swan/00000", "swan/00001"]
  described = records.metadata(directory)
  assert described["objects"] == ["bear", "goat", "swan"]
  assert described["labels"] == 2 and described["max_objects"] == 1
  assert described["source"] == "DAVIS 2016, 3 of 3 sequences"
  example = splits["validation"]["swan/00001"]
  jpeg = np.asarray(Image.open(raw / "JPEGImages/480p/swan/00001.jpg"))
  np.testing.assert_array_equal(example["image"], jpeg)
  np.testing.assert_array_equal(example["segmentation"][..., 0], raw_trees.ids(3))
  assert example["num_objects"] == 1
  metadata = example["metadata"]
  assert metadata["object_id"] == 2 and metadata["object_name"] == b"swan"
  assert metadata["frame"] == 1 and metadata["mask_filter"] == b"bicubic"


def test_ids_of_2017_come_from_the_palette(tmp_path):
  raw = save_tree(tmp_path / "raw", "2017", lists="2017")
  directory = prepare("davis/2017", tmp_path / "data", raw, processes=1)
  examples = raw_trees.views(directory)
  assert records.metadata(directory)["labels"] == 11
  for number, name in enumerate(("bear", "goat", "swan")):
    example = examples[f"{name}/00001"]
    mask = raw_trees.ids(number + 1, objects=1 + number)
    np.testing.assert_array_equal(example["segmentation"][..., 0], mask)
    assert example["num_objects"] == 1 + number
    assert example["metadata"]["mask_filter"] == b"nearest"


def test_2016_takes_all_objects_as_one(tmp_path):
  raw = save_tree(tmp_path / "raw", "2017")
  examples = raw_trees.views(prepare("davis/2016", tmp_path / "data", raw, processes=1))
  mask = raw_trees.ids(2, objects=3) > 0
  np.testing.assert_array_equal(examples["swan/00000"]["segmentation"][..., 0], mask)


def test_full_frames_resized(tmp_path):
  raw = save_tree(tmp_path / "raw", "2017", "Full-Resolution", "2017")
  directory = prepare("davis/2017_full_10px", tmp_path / "data", raw, processes=1)
  example = raw_trees.views(directory)["swan/00000"]
  jpeg = Image.open(raw / "JPEGImages/Full-Resolution/swan/00000.jpg")
  size = (round(WIDTH * 10 / HEIGHT), 10)
  np.testing.assert_array_equal(example["image"], np.asarray(jpeg.resize(size)))
  mask = Image.fromarray(raw_trees.ids(2, objects=3))
  expected = np.asarray(mask.resize(size, Image.Resampling.NEAREST))
  np.testing.assert_array_equal(example["segmentation"][..., 0], expected)


def test_lists_of_frames_and_a_part_of_the_set(tmp_path):
  raw = save_tree(tmp_path / "raw", lists="480p")
  lists = raw / "ImageSets" / "480p"
  line = "/JPEGImages/480p/{0}/{1:05d}.jpg /Annotations/480p/{0}/{1:05d}.png\n"
  names = ("absent", "goat", "bear")
  lines = [line.format(name, frame) for name in names for frame in range(3)]
  lists.joinpath("train.txt").write_text("".join(lines))
  lists.joinpath("val.txt").unlink()
  directory = prepare("davis", tmp_path / "data", raw, processes=1)
  assert records.metadata(directory)["source"] == "DAVIS 2016, 2 of 3 sequences"
  assert list(raw_trees.read(directory)) == ["train"]


def rewrite(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda r: raw_trees.cut_short(r / "JPEGImages/480p/bear/00000.jpg"), "bear/00000.jpg cannot"),
    (lambda r: raw_trees.cut_short(r / "Annotations/480p/bear/00001.png"), "bear/00001.png cannot"),
    (lambda r: (r / "JPEGImages/480p/goat/00001.jpg").unlink(), "goat/00001.jpg does not exist"),
    (lambda r: (r / "Annotations/480p/goat/00001.png").unlink(), "goat/00001.png does not exist"),
    (
      lambda r: raw_trees.save_palette(
        r / "Annotations/480p/swan/00000.png", raw_trees.ids(0), [255, 255, 255, 0, 0, 0]
      ),
      r"00000.png has a palette that begins with \(255, 255, 255\), not black",
    ),
    (
      lambda r: raw_trees.save_palette(
        r / "Annotations/480p/swan/00000.png", 11 * raw_trees.ids(0), [0] * 36
      ),
      "00000.png holds the id 11, more than the 10",
    ),
    (
      lambda r: raw_trees.save_palette(
        r / "Annotations/480p/swan/00000.png", raw_trees.ids(0, 1, 21, 31)
      ),
      "swan/00000.png has 21x31 pixels, but .*00000.jpg has 20x31",
    ),
    (
      lambda r: raw_trees.save(r / "Annotations/480p/swan/00000.png", raw_trees.pixels(0)),
      "00000.png is a mask in colours",
    ),
    (
      lambda r: raw_trees.save(r / "JPEGImages/480p/swan/00001.png", raw_trees.pixels(0)),
      "swan holds both 00001.jpg and 00001.png",
    ),
    (
      lambda r: [path.unlink() for path in r.glob("*/480p/swan/*")],
      "JPEGImages/480p/swan holds no picture",
    ),
    (
      lambda r: raw_trees.save(r / "JPEGImages/480p/swan/cover.jpg", raw_trees.pixels(0)),
      "swan/cover.jpg has a name that does not end with the number",
    ),
    (
      lambda r: rewrite(r / "ImageSets/2017/val.txt", "../../swan\n"),
      r"val.txt names '../../swan'",
    ),
    (lambda r: rewrite(r / "ImageSets/2017/val.txt", "goat\n"), "2017 lists goat in both"),
    (lambda r: rewrite(r / "ImageSets/2017/val.txt", "\0\n"), "val.txt names"),
    (
      lambda r: (r / "ImageSets/2017").rename(r / "lists"),
      "no lists of sequences: .*2017/train.txt",
    ),
    (lambda r: (r / "Annotations").rename(r / "masks"), "it has no folder Annotations/480p"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw", "2017", lists="2017")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("davis/2017", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)
  assert not list((tmp_path / "data").rglob("*.json"))


def test_damaged_frames_and_sequences_can_be_left_out(tmp_path, capsys):
  raw = save_tree(tmp_path / "raw")
  raw_trees.cut_short(raw / "JPEGImages/480p/goat/00001.jpg")
  raw_trees.save(raw / "JPEGImages/480p/bear/00001.png", raw_trees.pixels(0))
  directory = prepare("davis", tmp_path / "data", raw, processes=1, skip_damaged=True)
  assert sorted(raw_trees.views(directory)) == ["goat/00000", "swan/00000", "swan/00001"]
  assert records.metadata(directory)["objects"] == ["goat", "swan"]
  assert "left out 2 damaged" in capsys.readouterr().out


def test_more_files_than_before_are_noticed(tmp_path):
  raw = save_tree(tmp_path / "raw")
  (raw / "JPEGImages/480p/swan").rename(tmp_path / "swan")
  (raw / "Annotations/480p/swan").rename(tmp_path / "swan masks")
  prepare("davis", tmp_path / "data", raw, processes=1)
  (tmp_path / "swan").rename(raw / "JPEGImages/480p/swan")
  with pytest.raises(InputError, match="made from DAVIS 2016, 2 of 3 .*, not DAVIS 2016, 3 of 3"):
    prepare("davis", tmp_path / "data", raw)


@pytest.mark.parametrize("name", ["2018", "2016_256", "2016_full_4px", "2017_10px_full"])
def test_other_names_show_the_grammar(name):
  with pytest.raises(InputError, match=r"2016\|2017\[_full\]\[_SIZEpx\]"):
    Builder.config_named(name)
