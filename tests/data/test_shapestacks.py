"""ShapeStacks: pictures and masks of listed scenarios, and whatever may be wrong with them."""

import io

import numpy as np
import pytest
from PIL import Image

from data.prepare import prepare
from data.shapestacks.shapestacks_dataset_builder import Builder
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

HEIGHT, WIDTH = raw_trees.HEIGHT, raw_trees.WIDTH
STABLE = "env_ccs-easy-h=4-vcom=0-vpsf=0-v=12"
FALLING = "env_blocks-hard-h=2-vcom=3-vpsf=0-v=1"
SLIDING = "env_ccs-hard-h=6-vcom=0-vpsf=5-v=120"
ABSENT = "env_ccs-hard-h=3-vcom=0-vpsf=0-v=7"
LISTS = {"train": [STABLE, ABSENT], "eval": [FALLING], "test": [SLIDING]}
TEXTURES = [("0", "2", "1", "unique"), ("13", "0", "4", "original")]
CAMERAS = (2, 11)


def picture_name(walls, floor, lighting, colours, camera):
  return f"rgb-w={walls}-f={floor}-l={lighting}-c={colours}-cam_{camera}-mono-0.png"


def map_of(root, scenario, camera):
  return root / "iseg" / scenario / f"iseg-w=0-f=0-l=0-c=original-cam_{camera}-mono-0.map"


def save_map(path, ids, mode="RGBA"):
  grey = Image.fromarray((32 * ids).astype(np.uint8))
  path.parent.mkdir(parents=True, exist_ok=True)
  grey.convert(mode).save(path, "PNG")


def save_tree(root, lists="default"):
  saved = {}
  for number, scenario in enumerate((STABLE, FALLING, SLIDING)):
    for camera in CAMERAS:
      ids = raw_trees.ids(10 * number + camera, objects=2 + number)
      ids[0, 0] = 7  # given to no shape
      save_map(map_of(root, scenario, camera), ids)
      for place, textures in enumerate(TEXTURES):
        path = root / "recordings" / scenario / picture_name(*textures, camera)
        pixels = raw_trees.pixels(100 * number + 10 * camera + place)
        raw_trees.save(path, pixels)
        saved[f"{scenario}/{path.stem}"] = pixels, ids
    (root / "recordings" / scenario / "log.txt").write_text("not a picture")
  for split, names in LISTS.items():
    path = root / "splits" / lists / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))
  return saved


def build(tmp_path, name="default", processes=1, **options):
  return prepare(f"shapestacks/{name}", tmp_path / "data", tmp_path / "raw", processes, **options)


def says(tmp_path, words, name="default"):
  with pytest.raises(InputError) as caught:
    build(tmp_path, name)
  assert words in str(caught.value) and "\n" not in str(caught.value)
  assert not list((tmp_path / "data" / "shapestacks" / name).glob("*"))
  return str(caught.value)


@pytest.mark.parametrize("processes", [1, 2])
def test_pictures_of_the_listed_scenarios(tmp_path, processes):
  saved = save_tree(tmp_path / "raw")
  directory = build(tmp_path, processes=processes)
  splits = raw_trees.read(directory)
  for split, scenario in (("train", STABLE), ("validation", FALLING), ("test", SLIDING)):
    assert set(splits[split]) == {key for key in saved if key.startswith(scenario)}
  for key, found in raw_trees.views(directory).items():
    pixels, ids = saved[key]
    np.testing.assert_array_equal(found["image"], pixels)
    np.testing.assert_array_equal(found["segmentation"][..., 0], ids)
  described = records.metadata(directory)
  assert (described["labels"], described["background_ids"], described["max_objects"]) == (8, [0], 6)
  assert described["source"] == (
    "ShapeStacks default, scenarios: 1 of 2 train, 1 of 1 validation, 1 of 1 test"
  )
  names = [found["num_objects"] for found in splits["test"].values()]
  assert names == [6] * 4
  labels = [next(iter(splits[s].values()))["label"] for s in ("train", "validation", "test")]
  assert labels == [0, 1, 1]
  found = splits["validation"][f"{FALLING}/{picture_name(*TEXTURES[1], 11)[:-4]}"]["metadata"]
  del found["key"]
  assert found == {
    **{"scenario": FALLING.encode(), "camera": 11, "walls": 13, "floor": 0, "lighting": 4},
    "colours": b"original",
  }


def test_pictures_alone(tmp_path):
  saved = save_tree(tmp_path / "raw", "ccs_all")
  (tmp_path / "raw" / "iseg").rename(tmp_path / "elsewhere")
  said = says(tmp_path, "has no folder iseg", "ccs_all")
  assert "shapestacks/ccs_all_images" in said
  directory = build(tmp_path, "ccs_all_images")
  found = raw_trees.views(directory)
  assert set(found) == set(saved)
  assert all("segmentation" not in example for example in found.values())
  assert "labels" not in records.metadata(directory)


def test_lists_may_be_missing_and_have_gaps(tmp_path):
  save_tree(tmp_path / "raw")
  lists = tmp_path / "raw" / "splits" / "default"
  (lists / "eval.txt").unlink()
  (lists / "train.txt").write_text(f"\n{STABLE}\r\n\n{STABLE}")
  (lists / "test.txt").write_text(f"{ABSENT}\n")
  splits = raw_trees.read(build(tmp_path))
  assert {split: len(found) for split, found in splits.items()} == {"train": 4}


def test_grey_maps(tmp_path):
  saved = save_tree(tmp_path / "raw")
  ids = saved[f"{STABLE}/{picture_name(*TEXTURES[0], 2)[:-4]}"][1]
  save_map(map_of(tmp_path / "raw", STABLE, 2), ids, "L")
  save_map(map_of(tmp_path / "raw", STABLE, 11), ids, "LA")
  train = raw_trees.read(build(tmp_path))["train"]
  for found in train.values():
    np.testing.assert_array_equal(found["segmentation"][..., 0], ids)


def test_configs():
  assert [c.name for c in Builder.BUILDER_CONFIGS] == ["default", "blocks_all", "ccs_all"]
  with pytest.raises(InputError, match="default or ccs_all_images"):
    Builder.config_named("css_all")


def test_trees_that_cannot_be_used(tmp_path):
  raw = tmp_path / "raw"
  raw.mkdir()
  says(tmp_path, "not ShapeStacks: it has no folder recordings")
  save_tree(raw)
  says(tmp_path, "no list of scenarios, such as", "blocks_all")
  lists = raw / "splits" / "default"
  lists.joinpath("test.txt").write_text(f"{SLIDING}\n{FALLING}\n")
  says(tmp_path, f"{lists / 'test.txt'} lists {FALLING}, which is also in {lists / 'eval.txt'}")
  lists.joinpath("test.txt").write_text("../../../etc\n")
  says(tmp_path, f"{lists / 'test.txt'} lists '../../../etc', not a scenario")
  for name in LISTS:
    lists.joinpath(f"{name}.txt").write_text(f"{ABSENT}\n" if name == "train" else "\n")
  says(tmp_path, f"has none of the listed scenarios in {raw / 'recordings'}")
  lists.joinpath("eval.txt").write_text("")
  says(tmp_path, f"{lists / 'eval.txt'} is empty")


def test_names_that_do_not_say_what_is_shown(tmp_path):
  save_tree(tmp_path / "raw")
  path = tmp_path / "raw" / "recordings" / STABLE / "rgb-w=0-cam_1-mono-0.png"
  raw_trees.save(path, raw_trees.pixels(0))
  says(tmp_path, f"{path} is not named rgb-w=N")


def jpeg(ids):
  file = io.BytesIO()
  Image.fromarray(ids * 32).save(file, "JPEG")
  return file.getvalue()


IDS = raw_trees.ids(0)
COLOURED = np.stack([IDS * 32, IDS * 0, IDS * 64], axis=-1)
PICTURE = f"recordings/{STABLE}/{picture_name(*TEXTURES[0], 2)}"  # the first gives the size
MAP = f"iseg/{STABLE}/iseg-w=0-f=0-l=0-c=original-cam_11-mono-0.map"
DAMAGE = {
  "picture cut short": (PICTURE, lambda p: raw_trees.cut_short(p), "cannot be read", 3),
  "picture empty": (PICTURE, lambda p: p.write_bytes(b""), "is empty", 3),
  "picture of another size": (
    PICTURE,
    lambda p: raw_trees.save(p, raw_trees.pixels(0, HEIGHT, WIDTH + 1)),
    f"has {HEIGHT}x{WIDTH + 1} pixels",
    3,
  ),
  "no map": (MAP, lambda p: p.unlink(), "does not exist", 2),
  "map cut short": (MAP, lambda p: raw_trees.cut_short(p), "cannot be read as PNG", 2),
  "JPEG": (MAP, lambda p: p.write_bytes(jpeg(IDS)), "cannot be read as PNG", 2),
  "colours": (MAP, lambda p: save_picture(p, COLOURED), "is no map of labels", 2),
  "other greys": (MAP, lambda p: save_picture(p, IDS), "is no map of labels", 2),
  "map of another size": (MAP, lambda p: save_map(p, IDS[1:]), f"has {HEIGHT - 1}x{WIDTH}", 2),
}


def save_picture(path, array):
  Image.fromarray(array).save(path, "PNG")


@pytest.mark.parametrize("name", DAMAGE)
def test_damage(tmp_path, name, capsys):
  file, damage, words, kept = DAMAGE[name]
  save_tree(tmp_path / "raw")
  path = tmp_path / "raw" / file
  damage(path)
  assert says(tmp_path, words).startswith(str(path))
  splits = raw_trees.read(build(tmp_path, skip_damaged=True))
  assert len(splits["train"]) == kept and len(splits["test"]) == 4
  assert words in capsys.readouterr().out
