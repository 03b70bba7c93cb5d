"""YouTube-VOS: which videos and frames are taken, and whatever may be wrong with a tree."""

import json

import numpy as np
import pytest

from data.prepare import prepare
from data.youtube_vos.videos import SINGLE_FRAMES
from data.youtube_vos.youtube_vos_dataset_builder import Builder
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

HEIGHT, WIDTH = 6, 9
# Objects, and in how many frames they are marked.
VIDEOS = {"aa11": (1, SINGLE_FRAMES), "bb22": (2, 3), "cc33": (1, SINGLE_FRAMES - 1)}


def described(objects, frames):
  names = [f"{5 * i:05d}" for i in range(frames)]
  return {"objects": {str(n + 1): {"category": "cat", "frames": names} for n in range(objects)}}


def save_tree(root, per_video=False):
  train = root / "train"
  for number, (name, (objects, frames)) in enumerate(VIDEOS.items()):
    for i in range(frames):
      picture = raw_trees.pixels(number, HEIGHT, WIDTH)
      raw_trees.save(train / "JPEGImages" / name / f"{5 * i:05d}.jpg", picture)
      mask = raw_trees.ids(number + i, objects, HEIGHT, WIDTH)
      raw_trees.save_palette(train / "Annotations" / name / f"{5 * i:05d}.png", mask)
    if per_video:
      meta = train / "Annotations" / name / "meta.json"
      meta.write_text(json.dumps(described(objects, frames)))
  if not per_video:
    videos = {name: described(*about) for name, about in VIDEOS.items()}
    (train / "meta.json").write_text(json.dumps({"videos": {"absent": {}, **videos}}))
  return root


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
  return save_tree(tmp_path_factory.mktemp("youtube_vos"))


@pytest.mark.parametrize("per_video", [False, True])
def test_videos_of_one_object_seen_often(tmp_path, per_video):
  raw = save_tree(tmp_path / "raw", per_video)
  directory = prepare("youtube_vos", tmp_path / "data", raw / "train", processes=1)
  examples = raw_trees.views(directory)
  assert len(examples) == SINGLE_FRAMES
  about = records.metadata(directory)
  assert about["objects"] == ["aa11"] and about["labels"] == 2
  assert about["source"] == "YouTube-VOS, 3 videos"
  example = examples["aa11/00015"]
  expected = raw_trees.ids(3, 1, HEIGHT, WIDTH)
  np.testing.assert_array_equal(example["segmentation"][..., 0], expected)
  assert example["metadata"]["frame"] == 15 and example["metadata"]["mask_filter"] == b"nearest"


def test_all_videos(tmp_path, raw):
  directory = prepare("youtube_vos/all", tmp_path, raw, processes=1)
  examples = raw_trees.views(directory)
  assert len(examples) == sum(frames for _, frames in VIDEOS.values())
  about = records.metadata(directory)
  assert about["objects"] == list(VIDEOS) and about["max_objects"] == 2
  example = examples["bb22/00005"]
  np.testing.assert_array_equal(example["segmentation"][..., 0], raw_trees.ids(2, 2, HEIGHT, WIDTH))
  assert example["num_objects"] == 2 and example["metadata"]["object_id"] == 1


def test_frames_between_the_marked_ones_are_passed_over(tmp_path):
  raw = save_tree(tmp_path / "raw")
  between = raw / "train/JPEGImages/aa11/00007.jpg"
  raw_trees.save(between, raw_trees.pixels(0, HEIGHT, WIDTH))
  examples = raw_trees.views(prepare("youtube_vos", tmp_path / "data", raw, processes=1))
  assert len(examples) == SINGLE_FRAMES and "aa11/00007" not in examples


def change(raw, function):
  path = raw / "train/meta.json"
  meta = json.loads(path.read_text())
  function(meta)
  path.write_text(json.dumps(meta))


def hostile_video(meta):
  meta["videos"]["../../etc"] = described(1, 1)


def hostile_frame(meta):
  meta["videos"]["bb22"]["objects"]["2"]["frames"][1] = "../aa11/00000"


def high_id(meta):
  meta["videos"]["bb22"]["objects"]["300"] = meta["videos"]["bb22"]["objects"].pop("2")


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda r: change(r, hostile_video), r"meta.json names '../../etc': a plain name is needed"),
    (lambda r: change(r, hostile_frame), r"meta.json names '../aa11/00000'"),
    (lambda r: change(r, high_id), "meta.json has an object 300 in bb22; ids are 1 to 255"),
    (lambda r: change(r, lambda m: m.pop("videos")), "meta.json has no list of `videos`"),
    (lambda r: change(r, lambda m: m["videos"].pop("bb22")), "does not describe the video bb22"),
    (lambda r: change(r, lambda m: m["videos"]["bb22"].pop("objects")), "does not say the objects"),
    (lambda r: change(r, lambda m: m["videos"].update(bb22=[1])), "does not say the objects of"),
    (lambda r: raw_trees.cut_short(r / "train/meta.json"), "meta.json is not JSON"),
    (lambda r: (r / "train/meta.json").write_text("[1]"), "meta.json holds a list, not an object"),
    (lambda r: (r / "train/meta.json").unlink(), "does not describe the video aa11"),
    (lambda r: (r / "train/Annotations/aa11/meta.json").write_text("{"), "aa11/meta.json is not"),
    (lambda r: (r / "train/Annotations/bb22/00005.png").unlink(), "bb22/00005.png does not exist"),
    (lambda r: (r / "train/JPEGImages/bb22/00005.jpg").unlink(), "bb22/00005.jpg does not exist"),
    (
      lambda r: raw_trees.save_palette(
        r / "train/Annotations/bb22/00000.png", raw_trees.ids(0, 3, HEIGHT, WIDTH)
      ),
      "bb22/00000.png holds the id 3, more than the 2",
    ),
    (lambda r: raw_trees.cut_short(r / "train/JPEGImages/cc33/00010.jpg"), "cc33/00010.jpg cannot"),
    (lambda r: (r / "train/JPEGImages").rename(r / "train/x"), "has no folders train/JPEGImages"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("youtube_vos/all", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)


def test_no_video_that_fits(tmp_path, raw):
  for name in ("train/JPEGImages/cc33", "train/Annotations/cc33"):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).symlink_to(raw / name)
  (tmp_path / "train/meta.json").symlink_to(raw / "train/meta.json")
  with pytest.raises(InputError, match="no video with one object in 32 frames.*youtube_vos/all"):
    prepare("youtube_vos", tmp_path / "data", tmp_path)


@pytest.mark.parametrize("name", ["", "some", "all_", "single_all"])
def test_other_names_show_the_grammar(name):
  with pytest.raises(InputError, match=r"single\|all\[_SIZEpx\]"):
    Builder.config_named(name)
