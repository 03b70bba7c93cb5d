"""Object folders: drawn, written as files, and converted from files."""

import io

import numpy as np
import pytest
from PIL import Image

from data.building.object_names import split_of
from data.object_folders import drawing, names
from data.object_folders.drawing import Options, Task
from data.object_folders.export import main as export
from data.object_folders.object_folders_dataset_builder import Builder
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

DRAWN = "object_folders/24px_3objects_train4_test2_seed7"  # and one view for validation
VIEWS = 4 + 1 + 2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def drawn(root):
  return prepare(DRAWN, root, processes=2)


def test_drawn_views_have_the_published_names(drawn):
  splits = raw_trees.read(drawn)
  assert {split: len(found) for split, found in splits.items()} == {
    "train": 3 * 4,
    "validation": 3,
    "test": 3 * 2,
  }
  keys = [key for found in splits.values() for key in found]
  expected = [
    f"data_Generated_Object{number:03d}/Generated_seed_0007_num_{view:06d}"
    for number in range(3)
    for view in range(VIEWS)
  ]
  assert sorted(keys) == expected
  about = records.metadata(drawn)
  assert about["objects"] == [f"data_Generated_Object{number:03d}" for number in range(3)]
  assert about["seed"] == 7 and about["labels"] == 2 and about["source"] == "generated"


def test_a_view_can_be_drawn_alone(drawn):
  options = names.parse(DRAWN.partition("/")[2])
  example = raw_trees.read(drawn)["test"]["data_Generated_Object001/Generated_seed_0007_num_000006"]
  alone = drawing.draw(Task(options, "test", 1, 1))
  assert alone["metadata"]["frame"] == 6 == example["metadata"]["frame"]
  assert example["metadata"]["object_id"] == 1
  image = np.asarray(Image.open(io.BytesIO(alone["image"])))
  np.testing.assert_array_equal(example["image"], image)
  assert example["image"].shape == (24, 24, 3) and example["segmentation"].shape == (24, 24, 1)


def test_views_show_their_object_among_others(drawn):
  views = raw_trees.views(drawn)
  pictures = {example["image"].tobytes() for example in views.values()}
  assert len(pictures) == len(views)
  for example in views.values():
    share = example["segmentation"].mean()
    assert drawing.LEAST_SEEN <= share < 0.9 and example["num_objects"] == 1
    assert set(np.unique(example["segmentation"])) == {0, 1}


def test_an_object_looks_the_same_in_all_its_views():
  options = Options(size=16, objects=5)
  bodies = [drawing.parts(options, number) for number in range(5)]
  for number, body in enumerate(bodies):
    assert drawing.PARTS[0] <= len(body) <= drawing.PARTS[1]
    again = drawing.parts(options, number)
    assert [part.material for part in again] == [part.material for part in body]
  assert len({body[0].material.colour for body in bodies}) == 5
  scene, _ = drawing.compose(options, 2, np.random.default_rng(0))
  shown = [solid for solid in scene.solids if solid.label]
  assert [part.material for part in shown] == [part.material for part in bodies[2]]
  assert [part.half for part in shown] == [part.half for part in bodies[2]]
  # What is not the object is another of the set, or the room.
  others = {part.material for number in (0, 1, 3, 4) for part in bodies[number]}
  scenes = [drawing.compose(options, 2, np.random.default_rng(seed))[0] for seed in range(20)]
  counts = [sum(solid.shape != "plane" and not solid.label for solid in s.solids) for s in scenes]
  assert min(counts) == 0 and max(counts) > 4
  for scene in scenes:
    beside = {s.material for s in scene.solids if s.shape != "plane" and not s.label}
    assert beside <= others


def test_one_object_stands_alone():
  options = Options(size=16, objects=1)
  scene, _ = drawing.compose(options, 0, np.random.default_rng(1))
  assert all(solid.label or solid.shape == "plane" for solid in scene.solids)


def test_other_objects_do_not_touch_it():
  options = Options(objects=12)
  for seed in range(10):
    scene, _ = drawing.compose(options, 0, np.random.default_rng(seed))
    ours = [s for s in scene.solids if s.label]
    others = [s for s in scene.solids if s.shape != "plane" and not s.label]
    # The circles on the floor that hold the parts however they turn keep apart.
    for a in ours:
      for b in others:
        apart = np.hypot(*np.subtract(a.position, b.position)[:2])
        assert apart > np.hypot(*a.half[:2]) + np.hypot(*b.half[:2])


def test_files_written_are_the_views(root, drawn, tmp_path, capsys):
  tree = tmp_path / "tree"
  export([DRAWN, str(tree), "--data-dir", str(root)])
  assert capsys.readouterr().out == f"{3 * VIEWS} views in {tree}\n"
  views = raw_trees.views(drawn)
  for key in views:
    name, view = key.split("/")
    with Image.open(tree / name / "masks" / f"{view}.png") as mask:
      assert mask.mode == "L" and set(np.unique(np.asarray(mask))) == {0, 255}
  converted = raw_trees.views(prepare("object_folders/again", tmp_path, tree, processes=1))
  assert sorted(converted) == sorted(views)
  for key, example in converted.items():
    np.testing.assert_array_equal(example["image"], views[key]["image"])
    np.testing.assert_array_equal(example["segmentation"], views[key]["segmentation"])
    assert example["metadata"] == views[key]["metadata"]
  with pytest.raises(InputError, match=f"{tree} is not empty"):
    export([DRAWN, str(tree), "--data-dir", str(root)])


OBJECTS = ("data_FloorPlan1_Cup", "data_FloorPlan2_Pan")
VIEW = "FloorPlan{0}_seed_{1:04d}_num_{2:06d}"


def save_tree(root, views=3, save_mask=raw_trees.save_grey):
  for number, name in enumerate(OBJECTS):
    for view in range(views):
      file = VIEW.format(number + 1, view // 2, view) + ".png"
      raw_trees.save(root / name / "imgs" / file, raw_trees.pixels(10 * number + view))
      save_mask(root / name / "masks" / file, raw_trees.ids(number + view))
  (root / ".cache").mkdir(exist_ok=True)
  return root


@pytest.mark.parametrize("save_mask", [raw_trees.save_grey, raw_trees.save_palette])
def test_folders_are_converted(tmp_path, save_mask):
  raw = save_tree(tmp_path / "raw", save_mask=save_mask)
  directory = prepare("object_folders/ithor", tmp_path / "data", raw, processes=1)
  splits = raw_trees.read(directory)
  assert list(splits) == ["train"] and len(splits["train"]) == 6
  about = records.metadata(directory)
  assert about["objects"] == list(OBJECTS) and "seed" not in about
  assert about["source"].startswith("object folders, 12 files of ")
  for view in range(3):
    example = splits["train"][f"{OBJECTS[1]}/{VIEW.format(2, view // 2, view)}"]
    np.testing.assert_array_equal(example["image"], raw_trees.pixels(10 + view))
    np.testing.assert_array_equal(example["segmentation"][..., 0], raw_trees.ids(1 + view))
    assert example["metadata"]["frame"] == view and example["metadata"]["object_id"] == 1
    kind = b"bicubic" if save_mask is raw_trees.save_grey else b"nearest"
    assert example["metadata"]["mask_filter"] == kind


def test_views_can_be_held_out_and_resized(tmp_path):
  raw = save_tree(tmp_path / "raw", views=15)
  name = "object_folders/mine_10px_validation30_test30"
  splits = raw_trees.read(prepare(name, tmp_path / "data", raw, processes=1))
  assert set(splits) == {"train", "validation", "test"}
  for split, examples in splits.items():
    assert all(split_of(key, 30, 30) == split for key in examples)
    assert all(example["image"].shape == (10, 16, 3) for example in examples.values())


def test_changed_files_are_noticed(tmp_path):
  raw = save_tree(tmp_path / "raw")
  prepare("object_folders/mine", tmp_path / "data", raw, processes=1)
  again = prepare("object_folders/mine", tmp_path / "data", raw)
  file = VIEW.format(1, 0, 9) + ".png"
  raw_trees.save(raw / OBJECTS[0] / "imgs" / file, raw_trees.pixels(0))
  raw_trees.save_grey(raw / OBJECTS[0] / "masks" / file, raw_trees.ids(0))
  with pytest.raises(InputError, match="12 files .*, not object folders, 14 files .*--overwrite"):
    prepare("object_folders/mine", tmp_path / "data", raw)
  assert len(raw_trees.views(again)) == 6


IMAGE = f"{OBJECTS[0]}/imgs/{VIEW.format(1, 0, 1)}"
MASK = f"{OBJECTS[0]}/masks/{VIEW.format(1, 0, 1)}"


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda r: raw_trees.cut_short(r / f"{IMAGE}.png"), f"{IMAGE}.png cannot be read as PNG"),
    (lambda r: raw_trees.cut_short(r / f"{MASK}.png"), f"{MASK}.png cannot be read"),
    (lambda r: (r / f"{IMAGE}.png").unlink(), f"{IMAGE}.jpg does not exist"),
    (lambda r: (r / f"{MASK}.png").unlink(), f"{MASK}.png does not exist"),
    (lambda r: (r / f"{MASK}.png").write_bytes(b""), f"{MASK}.png is empty"),
    (lambda r: (r / f"{MASK}.png").write_bytes(b"GIF89a"), f"{MASK}.png cannot be read as"),
    (
      lambda r: raw_trees.save_grey(r / f"{MASK}.png", raw_trees.ids(0, 1, 31, 20)),
      "has 31x20 pixels",
    ),
    (lambda r: raw_trees.save(r / f"{MASK}.jpg", raw_trees.ids(0)), "masks holds both .*1.jpg and"),
    (
      lambda r: raw_trees.save(r / f"{MASK}.png", raw_trees.ids(0) * 200),
      "grey values 0, 200: neither",
    ),
    (
      lambda r: raw_trees.save_palette(r / f"{MASK}.png", raw_trees.ids(0), [9, 0, 0, 0, 0, 0]),
      "has a palette that begins with",
    ),
    (lambda r: (r / "data_FloorPlan3_Pot").mkdir(), "data_FloorPlan3_Pot/imgs holds no picture"),
    (lambda r: (r / OBJECTS[1] / "imgs").rename(r / OBJECTS[1] / "images"), "_Pan/imgs holds no"),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("object_folders/ithor", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)


def test_folders_that_are_none(tmp_path, root):
  (tmp_path / "empty").mkdir()
  with pytest.raises(InputError, match="empty holds no OBJECT/imgs and OBJECT/masks$"):
    prepare("object_folders/ithor", tmp_path / "data", tmp_path / "empty")
  raw = save_tree(tmp_path / "raw")
  with pytest.raises(InputError, match="holds no OBJECT/imgs .*; give the folder above it"):
    prepare("object_folders/ithor", tmp_path / "data", raw / OBJECTS[0])
  with pytest.raises(InputError, match="object_folders/ithor is made of .* files: .*--from RAW"):
    prepare("object_folders/ithor", tmp_path / "data")
  with pytest.raises(InputError, match="object_folders/24px_2objects is drawn; choose a name"):
    prepare("object_folders/24px_2objects", tmp_path / "data", raw)


@pytest.mark.parametrize(
  "name, options",
  [
    ("256px_12objects", Options()),
    (
      "64px_3objects_train8_seed1",
      Options(size=64, objects=3, train=8, validation=1, test=1, seed=1),
    ),
    ("ithor", names.TreeOptions(name="ithor")),
    ("my-cups_64px_test20", names.TreeOptions(name="my-cups", size=64, test=20)),
  ],
)
def test_names(name, options):
  assert Builder.config_named(name).options == options
  assert Builder.config_named(name).name == name


@pytest.mark.parametrize(
  "name", ["", "3", "256px", "my_cups", "a_5px", "mine_test50", "12px_3objects"]
)
def test_other_names_show_the_grammar(name):
  with pytest.raises(InputError, match=r"SIZEpx_OBJECTSobjects|NAME\[_SIZEpx\]"):
    Builder.config_named(name)
