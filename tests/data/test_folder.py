"""Pictures, pairs and videos of one's own, from real photographs and from damaged files."""

import io
import os
import pathlib

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from data.building.object_names import split_of
from data.folder import names
from data.folder.folder_dataset_builder import Builder
from data.prepare import main, prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees
from tests.data.test_video_files import save_gif, save_mp4

PLACES = {
  "beach.jpg": (0, 0, 60, 40),
  "day 1/hill.PNG": (100, 50, 130, 99),
  "day 1/lake.webp": (200, 0, 240, 40),
  "day 2/evening/sun.bmp": (10, 100, 90, 133),
  "day 2/evening/moon.gif": (300, 200, 350, 251),
}


def photograph(name="china.jpg") -> Image.Image:
  """One of scikit-learn's pictures, 640 x 427."""
  return Image.fromarray(load_sample_image(name))


def save(path, image, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  image.save(path, **options)


def save_photographs(root):
  picture = photograph()
  for name, box in PLACES.items():
    save(root / name, picture.crop(box))
  return root


def shown(path) -> np.ndarray:
  with Image.open(path) as image:
    return np.asarray(image.convert("RGB"))


def key_of(name) -> str:
  return os.path.splitext(name)[0]


def test_pictures_are_kept_as_they_are(tmp_path):
  raw = save_photographs(tmp_path / "pictures")
  (raw / "notes.txt").write_text("")
  (raw / ".hidden.jpg").write_text("")
  directory = prepare("folder/holiday_validation0_test0", tmp_path / "data", raw, processes=2)
  examples = raw_trees.read(directory)["train"]
  assert sorted(examples) == sorted(map(key_of, PLACES))
  for name in PLACES:
    np.testing.assert_array_equal(examples[key_of(name)]["image"], shown(raw / name))
    assert set(examples[key_of(name)]) == {"image", "metadata"}
  about = records.metadata(directory)
  assert about["objects"] == [".", "day 1", "day 2/evening"] and "labels" not in about
  assert about["source"].startswith(
    "folder of 5 pictures (train 5), 1 other files passed over (notes.txt); 6 files of "
  )
  metadata = examples["day 2/evening/sun"]["metadata"]
  assert metadata["object_id"] == 2 and metadata["object_name"] == b"day 2/evening"
  assert metadata["frame"] == 1  # behind moon.gif


def test_the_command_of_the_readme(tmp_path, capsys):
  raw = save_photographs(tmp_path / "pictures")
  main(["folder/holiday_32px", "--from", str(raw), "--data-dir", str(tmp_path)])
  assert "source: folder of 5 pictures (train" in capsys.readouterr().out
  splits = raw_trees.read(records.find("folder/holiday_32px", tmp_path))
  assert sum(map(len, splits.values())) == 5
  for split, examples in splits.items():
    for key, example in examples.items():
      assert split_of(key, 10, 10) == split and example["image"].shape == (32, 32, 3)


def test_pictures_become_squares(tmp_path):
  raw = save_photographs(tmp_path / "pictures")
  name = "folder/holiday_16px_validation0_test0"
  examples = raw_trees.views(prepare(name, tmp_path / "data", raw, processes=1))
  wide = Image.fromarray(shown(raw / "beach.jpg")).resize((24, 16), Image.Resampling.BILINEAR)
  np.testing.assert_array_equal(examples["beach"]["image"], np.asarray(wide)[:, 4:20])
  high = Image.fromarray(shown(raw / "day 1/hill.PNG"))
  high = high.resize((16, round(49 * 16 / 30)), Image.Resampling.BILINEAR)
  np.testing.assert_array_equal(examples["day 1/hill"]["image"], np.asarray(high)[5:21])


def test_cameras_held_upright_and_transparency(tmp_path):
  picture = photograph("flower.jpg").crop((0, 0, 50, 30))
  exif = picture.getexif()
  exif[0x0112] = 6
  save(tmp_path / "raw/upright.jpg", picture, exif=exif)
  cut_out = picture.copy()
  cut_out.putalpha(Image.fromarray(np.tile(np.uint8([0, 255]), (30, 25))))
  save(tmp_path / "raw/cut-out.png", cut_out)
  directory = prepare("folder/a_validation0_test0", tmp_path / "data", tmp_path / "raw")
  examples = raw_trees.views(directory)
  with Image.open(tmp_path / "raw/upright.jpg") as image:
    expected = np.rot90(np.asarray(image), -1)
  np.testing.assert_array_equal(examples["upright"]["image"], expected)
  assert (examples["cut-out"]["image"][:, ::2] == 255).all()
  np.testing.assert_array_equal(examples["cut-out"]["image"][:, 1::2], np.asarray(picture)[:, 1::2])


def save_pairs(root, rule="folders", objects=2, sizes=((12, 17), (20, 15), (14, 14))):
  """Three pictures of different sizes with masks of ids 1 to `objects`."""
  for number, (height, width) in enumerate(sizes):
    picture = raw_trees.pixels(number, height, width)
    mask = raw_trees.ids(number, objects, height, width)
    if rule == "folders":
      raw_trees.save(root / "cats/images/young" / f"{number}.jpg", picture)
      raw_trees.save_palette(root / "cats/masks/young" / f"{number}.png", mask)
    else:
      raw_trees.save(root / f"young/{number}.jpg", picture)
      raw_trees.save(root / f"young/{number}_mask.png", mask)
  return root


@pytest.mark.parametrize(
  "rule, prefix, group",
  [("folders", "cats/images/young", b"cats/young"), ("endings", "young", b"young")],
)
def test_masks_are_found(tmp_path, rule, prefix, group):
  raw = save_pairs(tmp_path / "raw", rule)
  directory = prepare("folder/cats_validation0_test0", tmp_path / "data", raw, processes=2)
  examples = raw_trees.views(directory)
  about = records.metadata(directory)
  assert about["labels"] == 3 and about["max_objects"] == 2 and about["background_ids"] == [0]
  assert about["source"].startswith("folder of 3 pictures with masks (train 3);")
  assert sorted(examples) == [f"{prefix}/{number}" for number in range(3)]
  example = examples[f"{prefix}/1"]
  np.testing.assert_array_equal(example["image"], shown(next(raw.rglob("1.jpg"))))
  np.testing.assert_array_equal(example["segmentation"][..., 0], raw_trees.ids(1, 2, 20, 15))
  assert example["num_objects"] == 2 and example["metadata"]["object_name"] == group
  filter = b"nearest" if rule == "folders" else b"bicubic"
  assert example["metadata"]["mask_filter"] == filter


def test_masks_follow_their_pictures(tmp_path):
  raw = save_pairs(tmp_path / "raw", "endings")
  name = "folder/cats_10px_validation0_test0"
  examples = raw_trees.views(prepare(name, tmp_path / "data", raw, processes=1))
  mask = Image.fromarray(raw_trees.ids(0, 2, 12, 17)).resize((14, 10), Image.Resampling.NEAREST)
  expected = np.asarray(mask)[:, 2:12]
  np.testing.assert_array_equal(examples["young/0"]["segmentation"][..., 0], expected)


def test_splits_do_not_depend_on_the_rest(tmp_path):
  for number in range(40):
    raw_trees.save(tmp_path / "raw" / f"{number}.png", raw_trees.pixels(number, 4, 5))
  few, many = tmp_path / "few", tmp_path / "many"
  first = raw_trees.read(prepare("folder/a", few, tmp_path / "raw", processes=1))
  assert {split: len(found) for split, found in first.items()} == {
    split: sum(split_of(str(n), 10, 10) == split for n in range(40))
    for split in ("train", "validation", "test")
  }
  raw_trees.save(tmp_path / "raw" / "more.png", raw_trees.pixels(0, 4, 5))
  second = raw_trees.read(prepare("folder/a", many, tmp_path / "raw", processes=1))
  for split, examples in first.items():
    assert set(examples) <= set(second[split])
  with pytest.raises(InputError, match="40 files .*, not .* 41 files .*--overwrite"):
    prepare("folder/a", few, tmp_path / "raw")


def film(frames, seed=0, height=20, width=26):
  return [raw_trees.pixels(seed + i, height, width) for i in range(frames)]


CLIPS = "folder/films_validation0_test0_frames3_stride2"


def test_clips_of_videos(tmp_path):
  raw = tmp_path / "raw"
  for number, pixels in enumerate(film(13, seed=20), start=1):  # 13 give 7, so two clips of 3
    raw_trees.save(raw / "walk" / f"frame{number}.png", pixels)
  save_gif(raw / "a.gif", film(6, seed=40))
  save_mp4(raw / "b.mp4", film(12, seed=60, height=32, width=48))
  directory = prepare(CLIPS, tmp_path / "data", raw, processes=1)
  examples = raw_trees.views(directory)
  assert sorted(examples) == ["a/00000", "b/00000", "b/00001", "walk/00000", "walk/00001"]
  assert records.metadata(directory)["objects"] == ["a", "b", "walk"]
  assert records.metadata(directory)["source"].startswith("folder of 3 videos (train 3);")
  for number in range(2):
    example = examples[f"walk/{number:05d}"]
    expected = film(13, seed=20)[6 * number : 6 * number + 6 : 2]
    np.testing.assert_array_equal(np.array(example["video"]), expected)
    assert example["metadata"]["frame"] == 6 * number and example["metadata"]["object_id"] == 2
  mp4 = np.array(examples["b/00001"]["video"]).astype(int)
  expected = np.array(film(12, seed=60, height=32, width=48)[6:12:2])
  assert mp4.shape == expected.shape and np.abs(mp4 - expected).mean() < 5


def test_clips_with_masks_of_one_size(tmp_path):
  raw = tmp_path / "raw"
  for number, pixels in enumerate(film(4)):
    raw_trees.save(raw / "images/walk" / f"{number}.jpg", pixels)
    raw_trees.save_palette(raw / "masks/walk" / f"{number}.png", raw_trees.ids(number, 3, 20, 26))
  name = "folder/walk_10px_validation0_test0_frames4"
  directory = prepare(name, tmp_path / "data", raw, processes=1)
  (example,) = raw_trees.views(directory).values()
  video, segmentation = (np.array(example[field]) for field in ("video", "segmentation"))
  assert video.shape == (4, 10, 10, 3) and segmentation.shape == (4, 10, 10, 1)
  mask = Image.fromarray(raw_trees.ids(2, 3, 20, 26)).resize((13, 10), Image.Resampling.NEAREST)
  np.testing.assert_array_equal(segmentation[2, ..., 0], np.asarray(mask)[:, 1:11])
  assert example["num_objects"] == 3 and records.metadata(directory)["labels"] == 4


def test_a_single_file(tmp_path):
  path = save_mp4(tmp_path / "walk.mp4", film(6, height=32, width=48))
  name = "folder/walk_validation0_test0_frames2"
  assert len(raw_trees.views(prepare(name, tmp_path / "data", path))) == 3


def test_a_video_cut_short_gives_the_clips_before(tmp_path, capsys):
  raw = tmp_path / "raw"
  for number, pixels in enumerate(film(7)):
    raw_trees.save(raw / "walk" / f"{number}.png", pixels)
  raw_trees.cut_short(raw / "walk/5.png")
  name = "folder/walk_validation0_test0_frames2"
  with pytest.raises(InputError, match="walk/5.png cannot be read"):
    prepare(name, tmp_path / "data", raw)
  directory = prepare(name, tmp_path / "data", raw, skip_damaged=True)
  assert sorted(raw_trees.views(directory)) == ["walk/00000", "walk/00001"]
  assert "left out 1 damaged" in capsys.readouterr().out


def bytes_of(pixels) -> bytes:
  content = io.BytesIO()
  Image.fromarray(pixels).save(content, "PNG")
  return content.getvalue()


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda r: raw_trees.cut_short(r / "young/0.jpg"), "young/0.jpg cannot be read"),
    (lambda r: raw_trees.cut_short(r / "young/0_mask.png"), "young/0_mask.png cannot be read"),
    (lambda r: (r / "young/0.jpg").write_bytes(b""), "young/0.jpg is empty"),
    (lambda r: (r / "young/0.jpg").write_bytes(b"text"), "young/0.jpg cannot be read as"),
    (lambda r: (r / "young/0_mask.png").unlink(), "young/0.jpg has no mask .*young/0_mask.png"),
    (lambda r: (r / "young/0.jpg").unlink(), "0_mask.png is a mask, but there is no picture 0 for"),
    (
      lambda r: (r / "young/0.png").write_bytes(bytes_of(raw_trees.pixels(0))),
      "young/0.png and 0.jpg share a name",
    ),
    (
      lambda r: raw_trees.save(r / "young/0_mask.png", raw_trees.ids(0, 2, 17, 12)),
      "0_mask.png has 17x12 pixels, but .*young/0.jpg has 12x17",
    ),
    (
      lambda r: raw_trees.save(r / "young/0_mask.png", raw_trees.pixels(0, 12, 17)),
      "young/0_mask.png is a mask in colours",
    ),
    (
      lambda r: raw_trees.save(r / "young/0_mask.jpg", raw_trees.ids(0)),
      "young/0_mask.png and 0_mask.jpg share a name|0_mask.jpg and 0_mask.png share a name",
    ),
    (
      lambda r: raw_trees.save(r / "masks/x.png", raw_trees.ids(0)),
      "masks/x.png is a mask, but there is no picture x for it",
    ),
    (lambda r: (r / "young/0.jpg").rename(r / "young/\udcff.jpg"), "not UTF-8: rename it"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_pairs(tmp_path / "raw", "endings")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("folder/cats_validation0_test0", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value)
  assert not list((tmp_path / "data").rglob("*.json"))


def test_two_masks_of_a_picture(tmp_path):
  raw = save_pairs(tmp_path / "raw")
  raw_trees.save(raw / "cats/images/young/0_mask.png", raw_trees.ids(0))
  with pytest.raises(InputError, match="are masks of one picture: remove one"):
    prepare("folder/cats", tmp_path / "data", raw)


@pytest.mark.parametrize(
  "files, name, words",
  [
    ([], "a", r"holds no picture \(.jpg, .*.gif\) and no video"),
    (["notes.txt", ".hidden.png", ".git/a.png"], "a", "holds no picture"),
    (["a.mp4"], "a_8px", "holds no picture; folder/a_8px_frames10 makes clips of its videos"),
    (["notes.txt", "walk/a.mp4"], "a_frames2", "a.mp4"),
  ],
)
def test_folders_without_anything(tmp_path, files, name, words):
  (tmp_path / "raw").mkdir()
  for file in files:
    path = tmp_path / "raw" / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"?")
  with pytest.raises(InputError, match=words) as caught:
    prepare(f"folder/{name}", tmp_path / "data", tmp_path / "raw")
  assert str(tmp_path / "raw") in str(caught.value)


def test_videos_that_do_not_do(tmp_path):
  raw = tmp_path / "raw"
  save_gif(raw_trees.save(raw / "walk/0.png", film(1)[0]).parent.parent / "run.gif", film(3))
  with pytest.raises(InputError, match="walk gives 1 frames, and a clip has 2"):
    prepare("folder/a_validation0_test0_frames2", tmp_path / "data", raw)
  with pytest.raises(InputError, match=r"gives 1 frames \(one in 3 is taken\), and a clip has 2"):
    prepare("folder/a_validation0_test0_frames2_stride3", tmp_path / "data", raw / "run.gif")
  (raw / "run.gif").rename(raw / "walk.gif")
  with pytest.raises(InputError, match="walk.gif and the folder of pictures walk share a name"):
    prepare("folder/a_frames2", tmp_path / "data", raw)
  raw_trees.save(raw / "walk/0_mask.png", film(1)[0][..., 0] % 3)
  (raw / "walk.gif").rename(raw / "run.gif")
  with pytest.raises(InputError, match="run.gif has no masks, but the pictures there have"):
    prepare("folder/a_frames2", tmp_path / "data", raw)


def test_no_picture_for_training(tmp_path):
  name = next(str(n) for n in range(99) if split_of(str(n), 10, 10) == "test")
  raw_trees.save(tmp_path / "raw" / f"{name}.png", film(1)[0])
  with pytest.raises(
    InputError, match="none of 1 falls into the train split; .*_validation0_test0"
  ):
    prepare("folder/a", tmp_path / "data", tmp_path / "raw")
  with pytest.raises(InputError, match="folder is not generated.*--from RAW"):
    prepare("folder/a", tmp_path / "data")
  with pytest.raises(InputError, match="nowhere does not exist"):
    prepare("folder/a", tmp_path / "data", pathlib.Path("nowhere"))


@pytest.mark.parametrize(
  "name, options",
  [
    ("holiday", names.Options(name="holiday")),
    ("my-cats_128px", names.Options(name="my-cats", size=128)),
    (
      "a_16px_validation0_test5_frames10_stride3",
      names.Options(name="a", size=16, validation=0, test=5, frames=10, stride=3),
    ),
  ],
)
def test_names(name, options):
  assert Builder.config_named(name).options == options
  assert Builder.config_named(name).name == name


@pytest.mark.parametrize(
  "name", ["", "my_cats", "1a", "a/b", "a_5px", "a_test50", "a_frames1", "a_stride0", "a_stride2"]
)
def test_other_names_show_what_is_wrong(name):
  with pytest.raises(
    InputError, match=r"NAME\[_SIZEpx\].*\[_framesN\]|has a stride but no framesN"
  ):
    Builder.config_named(name)
