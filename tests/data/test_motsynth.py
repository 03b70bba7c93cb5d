"""MOTSynth: frames and masks of the chosen sequences, and whatever may be wrong with them."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from configs import sections
from data.building.boxes import boxes, visible_pixels
from data.motsynth import annotations
from data.motsynth.motsynth_dataset_builder import Builder
from data.motsynth.names import LISTS, NAMES, Options
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.examples import open_split
from tests.data import raw_trees
from tests.data.test_motsynth_masks import encoded

HEIGHT, WIDTH, FRAMES = 18, 32, 6
PEOPLE = {"028": (40, 7, 300), "042": (5, 6)}  # ped_ids; of the first nobody is in frame 3
EMPTY = ("028", 3)


def pixels(name, number):
  """Nowhere black."""
  return raw_trees.pixels(10 * int(name) + number, HEIGHT, WIDTH) // 2 + 100


def masks(name, number):
  """By ped_id, the later ones over the earlier ones: [H, W] bool."""
  found = {}
  for place, pedestrian in enumerate(() if (name, number) == EMPTY else PEOPLE[name]):
    found[pedestrian] = np.zeros((HEIGHT, WIDTH), bool)
    left = 9 * place + number
    found[pedestrian][4 : 9 + 3 * place, left : left + 11] = True
  return found


def ids(name, number):
  expected = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
  for pedestrian, mask in masks(name, number).items():
    expected[mask] = 1 + sorted(PEOPLE[name]).index(pedestrian)
  return expected


def annotate(name):
  images, people = [], []
  for number in range(FRAMES):
    image = 10_000 * int(name) + number + 1
    images.append({"id": image, "file_name": f"frames/{name}/rgb/{number:04d}.jpg"})
    for pedestrian, mask in masks(name, number).items():
      segmentation = {"size": [HEIGHT, WIDTH], "counts": encoded(mask)}
      people.append({"image_id": image, "ped_id": pedestrian, "segmentation": segmentation})
  return {"images": images, "annotations": people}


def save_tree(root):
  for name in PEOPLE:
    for number in range(FRAMES):
      path = root / "frames" / name / "rgb" / f"{number:04d}.jpg"
      raw_trees.save(path, pixels(name, number), quality=95)
    path = root / "annotations" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(annotate(name)))
  return root


def edit(path, change):
  """Applies `change` to the annotations in a file."""
  content = json.loads(path.read_text())
  change(content)
  path.write_text(json.dumps(content))


def stored(raw, name, number):
  return np.asarray(Image.open(raw / "frames" / name / "rgb" / f"{number:04d}.jpg"))


def test_frames_stay_as_they_are_where_nothing_is_asked_for(tmp_path):
  raw = save_tree(tmp_path / "raw")
  directory = prepare(f"motsynth/original_{HEIGHT}px", tmp_path / "data", raw, processes=2)
  found = raw_trees.read(directory)["train"]
  assert [*found] == [f"{name}/{number:06d}" for name in PEOPLE for number in range(FRAMES)]
  for key, example in found.items():
    name, number = key[:3], int(key[-6:])
    np.testing.assert_array_equal(example["image"], stored(raw, name, number))
    np.testing.assert_array_equal(example["segmentation"], ids(name, number))
    assert example["num_objects"] == len(masks(name, number))
  described = records.metadata(directory)
  assert described["sequences"] == {"train": [FRAMES, FRAMES]} and described["labels"] == 4
  assert described["source"] == "MOTSynth, 12 frames of 2 sequences"


def test_resized_frames_on_black(tmp_path):
  raw = save_tree(tmp_path / "raw")
  directory = prepare("motsynth/black_028_9px", tmp_path / "data", raw, processes=1)
  found = raw_trees.read(directory)["train"]
  assert len(found) == FRAMES
  for key, example in found.items():
    number = int(key[-6:])
    whole = np.where(ids("028", number) > 0, stored(raw, "028", number), np.uint8(0))
    expected = Image.fromarray(whole).resize((16, 9), Image.Resampling.BILINEAR)
    assert np.abs(example["image"].astype(int) - np.asarray(expected)).max() < 20  # JPEG
    half = Image.fromarray(ids("028", number)[..., 0]).resize((16, 9), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(example["segmentation"][..., 0], np.asarray(half))
  assert found["028/000003"]["image"].max() < 3


@pytest.mark.parametrize("background", ["gradient", "image", "blurred_radius3"])
def test_other_backgrounds_are_behind_the_people(tmp_path, background):
  raw = save_tree(tmp_path / "raw")
  picture = raw_trees.pixels(99, 27, 48)
  raw_trees.save(raw / "background.png", picture)
  config = f"motsynth/{background}_042_{HEIGHT}px"
  found = raw_trees.read(prepare(config, tmp_path / "data", raw, processes=1))["train"]
  behind = Image.fromarray(picture).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
  if background == "blurred_radius3":
    behind = behind.filter(ImageFilter.GaussianBlur(3))
  seen = np.stack([example["image"] for example in found.values()]).astype(int)
  people = np.stack([example["segmentation"] for example in found.values()]) > 0
  filmed = np.stack([stored(raw, "042", number) for number in range(FRAMES)]).astype(int)
  assert np.abs(seen - filmed)[people[..., 0]].mean() < 8  # JPEG, at edges too
  if background == "gradient":
    empty = seen[:, -2:, :3].mean((0, 1, 2))  # bottom left
    np.testing.assert_allclose(empty, (148, 90, 160), atol=12)
  else:
    assert np.abs(seen - np.asarray(behind).astype(int))[~people[..., 0]].mean() < 8


def test_clips_with_a_random_window(tmp_path):
  prepare("motsynth/original_18px", tmp_path / "data", save_tree(tmp_path / "raw"), processes=1)
  config = sections.base().data
  config.update(name="motsynth/original_18px", directory=str(tmp_path / "data"), side=18)
  config.update(fields=("image", "segmentation"))
  config.preprocess = (
    dict(name="clip", length=2, stride=2, slot=3),
    dict(name="square_crop", evaluation="start"),
    dict(name="relabel", objects=3),
    dict(name="object_boxes", objects=3),
  )
  examples = open_split(config, "train")
  found = examples.read(np.arange(len(examples)))
  assert len(examples) == 4 and found["video"].shape == (4, 2, 18, 18, 3)
  expected = np.stack([ids("042", number)[:, :18] for number in (3, 5)])
  np.testing.assert_array_equal(found["segmentation"][3], expected)
  assert found["bboxes"].shape == (4, 2, 3, 4) and found["num_objects"].shape == (4,)
  for clip, t in np.ndindex(4, 2):
    labels = found["segmentation"][clip, t]
    np.testing.assert_array_equal(found["bboxes"][clip, t], boxes(labels, 3))
    np.testing.assert_array_equal(found["visibility"][clip, t], visible_pixels(labels, 3))


def first_mask(change):
  """Damage of the first mask of a sequence."""

  def damage(raw):
    path = raw / "annotations" / "042.json"
    edit(path, lambda content: change(content["annotations"][0]["segmentation"]))

  return damage


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda raw: (raw / "annotations/042.json").unlink(), "annotations/042.json does not exist"),
    (
      lambda raw: raw_trees.cut_short(raw / "annotations/042.json"),
      "042.json is no file of COCO annotations",
    ),
    (
      lambda raw: edit(raw / "annotations/042.json", lambda content: content.pop("images")),
      "042.json is no file of COCO annotations .KeyError: 'images'",
    ),
    (
      lambda raw: edit(raw / "annotations/042.json", lambda content: content["images"].pop()),
      "042.json is no file of COCO",  # of people in a frame that is not named
    ),
    (
      lambda raw: edit(raw / "annotations/028.json", lambda content: content["images"].pop(3)),
      "028.json does not have the frame 0003",
    ),
    (
      first_mask(lambda mask: mask.update(size=[WIDTH, HEIGHT])),
      r"042.json has a mask of 32x18, not 18x32 \(frame 0000, ped_id 5\)",
    ),
    (
      first_mask(lambda mask: mask["counts"].pop()),
      r"042.json has a mask that is none: its runs have \d+ pixels, the picture 576 \(frame 0000",
    ),
    (
      first_mask(lambda mask: mask.update(counts="0 1")),
      "042.json has a mask that is none: its te",
    ),
    (first_mask(lambda mask: mask.update(counts=None)), "042.json has a mask that is none"),
    (lambda raw: (raw / "frames/028/rgb/0002.jpg").unlink(), "rgb/0002.jpg does not exist"),
    (lambda raw: raw_trees.cut_short(raw / "frames/028/rgb/0004.jpg"), "rgb/0004.jpg cannot be"),
    (
      lambda raw: raw_trees.save(raw / "frames/042/rgb/0001.jpg", raw_trees.pixels(0, 18, 30)),
      "042/rgb/0001.jpg has 18x30 pixels, but .*028/rgb/0000.jpg has 18x32",
    ),
    (lambda raw: (raw / "frames/028/rgb").rename(raw / "rgb"), "frames/028/rgb does not exist"),
    (lambda raw: [p.unlink() for p in raw.glob("frames/042/rgb/*")], "042/rgb holds no frame"),
    (lambda raw: (raw / "frames").rename(raw / "videos"), "raw is not MOTSynth"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("motsynth/original_10px", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)


@pytest.mark.parametrize(
  "config, words",
  [
    ("original_028-033_10px", "has no sequence 033 in its folder frames"),
    ("original_all_19px", "0000.jpg has 18 rows, the config asks for 19px"),
    ("blurred_10px", "raw has no picture for the background: background.png or background.jpg"),
  ],
)
def test_what_the_files_do_not_have(tmp_path, config, words):
  with pytest.raises(InputError, match=words):
    prepare(f"motsynth/{config}", tmp_path / "data", save_tree(tmp_path / "raw"), processes=1)


def test_damaged_frames_and_sequences_can_be_left_out(tmp_path):
  raw = save_tree(tmp_path / "raw")
  raw_trees.cut_short(raw / "frames/028/rgb/0004.jpg")
  raw_trees.cut_short(raw / "annotations/042.json")
  config = "motsynth/original_all_18px"
  directory = prepare(config, tmp_path / "data", raw, processes=1, skip_damaged=True)
  described = records.metadata(directory)
  assert described["sequences"] == {"train": [4, 1]} and described["skipped"] == 2
  raw_trees.cut_short(raw / "annotations/028.json")
  with pytest.raises(InputError, match="no annotations of a sequence can be used"):
    prepare("motsynth/original_9px", tmp_path / "data", raw, processes=1, skip_damaged=True)


def test_many_people_have_ids_of_16_bits(tmp_path):
  raw = save_tree(tmp_path / "raw")
  many = [{"ped_id": number, "image_id": 280001} for number in range(1000, 1300)]
  for person in many:
    person["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}
  many[-1]["segmentation"]["counts"] = [HEIGHT * WIDTH - 1, 1]
  edit(raw / "annotations/028.json", lambda content: content["annotations"].extend(many))
  directory = prepare("motsynth/original_18px", tmp_path / "data", raw, processes=1)
  assert records.metadata(directory)["labels"] == 304
  assert annotations.id_type(255) is np.uint8 and annotations.id_type(256) is np.uint16
  config = sections.base().data
  config.update(name="motsynth/original_18px", directory=str(tmp_path / "data"), side=0)
  config.update(fields=("segmentation",), preprocess=())
  found = open_split(config, "train").read(np.array([0, 1]))["segmentation"]
  assert found.dtype == np.uint16 and found[0, -1, -1, 0] == 303
  np.testing.assert_array_equal(found[1], ids("028", 1))


def test_names():
  assert [len(Options(sequences=name).numbers) for name in LISTS] == [19, 8, 44]
  assert NAMES.parse("black_multi8") == Options("black", sequences="multi8")
  assert NAMES.parse("blurred_radius30_042-068_128px").numbers == ["042", "068"]
  for options in (Options(), Options("blurred", 3, "all", 64), Options("image", size=1080)):
    assert NAMES.parse(NAMES.spell(options)) == options
  for name in ("white", "image_radius3", "original_068-042", "original_28", "original_128px_all"):
    with pytest.raises(InputError, match="original|black"):
      Builder.config_named(name)
