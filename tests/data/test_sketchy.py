"""Sketchy: squares cut from the frames of episodes, and whatever may be wrong with a file."""

import functools
import io

import numpy as np
import pytest
from PIL import Image

from data.prepare import prepare
from data.sketchy import episodes
from data.sketchy.sketchy_dataset_builder import Builder
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees
from tests.data.raw_records import example, save_records

# Left, top, right and bottom of what is stored of a picture of 960x600, by view and name.
ROWS = {"fl": (71, 519), "fr": (91, 539)}
COLUMNS = {"c0": (144, 496), "c1": (304, 656), "c2": (464, 816)}
STEPS = [1, 1, 2, 1, 1, 1, 1, 1, 1, 1]  # of the episodes in the order of their names


def box(view, name):
  top, bottom = ROWS[view]
  if name == "full":
    return (256, top, 704, bottom)
  left, right = COLUMNS[f"c{int(name[1]) % 3}"]
  return (left, top, right, top + 352) if name < "c3" else (left, bottom - 352, right, bottom)


@functools.cache
def jpeg(seed, height=600, width=960, kind="JPEG"):
  file = io.BytesIO()
  Image.fromarray(raw_trees.pixels(seed, height, width)).save(file, kind)
  return file.getvalue()


def step(left=1, right=2):
  return {
    "pixels/basket_front_left": [jpeg(left)],
    "pixels/basket_front_right": [jpeg(right)],
    "actions": np.zeros(7, np.float32),
  }


def name_of(number):
  return f"{10_000_000 + 17 * number}_0a1b2c-{number}d"


def save_tree(root, steps=STEPS):
  for number, count in enumerate(steps):
    path = root / "records" / name_of(number)
    save_records(path, [example(step(time, 5 + time)) for time in range(count)])
  (root / "records" / "README.txt").write_text("no episode")
  (root / "records" / "10000001_0a1b.gstmp").write_text("a download that did not end")


def build(tmp_path, name, processes=1, **options):
  return prepare(f"sketchy/{name}", tmp_path / "data", tmp_path / "raw", processes, **options)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_square_of_every_step(tmp_path, processes):
  save_tree(tmp_path / "raw")
  directory = build(tmp_path, "24px_all", processes)
  splits = raw_trees.read(directory)
  # The first tenth is for validation, the next for test; numbers go on through the splits.
  numbers = {"train": range(8), "validation": [8], "test": [9]}
  order = [*range(2, 10), 0, 1]
  squares = [f"{view}_{crop}" for view in ROWS for crop in ("full", *(f"c{n}" for n in range(6)))]
  for split, episodes_of in numbers.items():
    assert set(splits[split]) == {
      f"ep{number:06d}/ep{number:06d}_t{time:03d}_{square}"
      for number in episodes_of
      for time in range(STEPS[order[number]])
      for square in squares
    }
  for view, seed in (("fl", 1), ("fr", 6)):
    picture = Image.open(io.BytesIO(jpeg(seed)))
    for name in ("full", "c0", "c1", "c2", "c3", "c4", "c5"):
      found = splits["train"][f"ep000000/ep000000_t001_{view}_{name}"]
      cut = picture.crop(box(view, name)).resize((24, 24), Image.Resampling.BILINEAR)
      np.testing.assert_array_equal(found["image"], np.asarray(cut))
      metadata = {**found["metadata"]}
      del metadata["key"]
      assert metadata == {
        **{"file": name_of(2).encode(), "episode": 0, "time": 1},
        **{"view": view.encode(), "crop": name.encode()},
      }
  assert splits["test"]["ep000009/ep000009_t000_fl_full"]["metadata"]["file"] == (
    name_of(1).encode()
  )
  source = records.metadata(directory)["source"]
  assert source == "Sketchy, episodes: 8 train, 1 validation, 1 test"


def test_the_middle_alone_of_a_few_episodes(tmp_path):
  save_tree(tmp_path / "raw", [2, 1])
  (tmp_path / "raw" / "records").rename(tmp_path / "elsewhere")
  (tmp_path / "elsewhere").rename(tmp_path / "raw" / "other")
  raw = tmp_path / "raw" / "other"
  splits = raw_trees.read(prepare("sketchy/13px_full", tmp_path / "data", raw, processes=1))
  assert list(splits) == ["train"] and len(splits["train"]) == 6
  found = splits["train"]["ep000001/ep000001_t000_fr_full"]["image"]
  cut = Image.open(io.BytesIO(jpeg(5))).crop(box("fr", "full"))
  expected = cut.resize((13, 13), Image.Resampling.BILINEAR)
  np.testing.assert_array_equal(found, np.asarray(expected))


def test_squares_lie_where_they_were_published():
  found = episodes.squares("all")
  assert found["full"] == (0, 112, 448) and len(found) == 7
  assert found["c1"] == (0, 160, 352) and found["c5"] == (96, 320, 352)


def test_configs():
  assert Builder.DEFAULT_CONFIG == "128px_all"
  assert Builder.config_named("64px_full").options.size == 64
  for wrong in ("all", "449px_all", "128px"):
    with pytest.raises(InputError, match="128px_all or 64px_full"):
      Builder.config_named(wrong)


def test_trees_without_episodes(tmp_path):
  (tmp_path / "raw" / "records").mkdir(parents=True)
  (tmp_path / "raw" / "records" / "notes").write_text("none")
  with pytest.raises(InputError, match=r"holds no episodes, files named like 10000000_\w"):
    build(tmp_path, "24px_full")


def changed(**features):
  found = {f"pixels/basket_front_{name}": values for name, values in features.items()}
  return example({n: v for n, v in (step() | found).items() if v is not None})


DAMAGE = {
  "cut short": (lambda c: c[: len(c) * 3 // 4], "is cut short", 2),
  "altered": (lambda c: c[:99] + b"?" + c[100:], "checksum of the record at byte 0", 2),
  "empty": (lambda c: b"", "is empty", 1),
}
BAD_STEPS = {
  "no view": (changed(right=None), "has no picture pixels/basket_front_right"),
  "two pictures": (changed(left=[jpeg(1)] * 2), "has no picture pixels/basket_front_left"),
  "numbers": (changed(left=np.zeros(3, np.float32)), "has no picture pixels/basket_front_left"),
  "another size": (changed(left=[jpeg(1, 500)]), "of 500x960 pixels in the record at byte 0"),
  "JPEG cut short": (changed(left=[jpeg(1)[:2000]]), "cannot be read as JPEG"),
  "PNG": (changed(left=[jpeg(1, 20, 30, "PNG")]), "cannot be read as JPEG"),
  "no Example": (b"\xff\xff\xff", "is no tf.train.Example"),
}


def check_damage(tmp_path, path, words, kept, capsys):
  with pytest.raises(InputError) as caught:
    build(tmp_path, "9px_full")
  said = str(caught.value)
  assert said.startswith(str(path)) and words in said and "\n" not in said
  assert not list((tmp_path / "data" / "sketchy" / "9px_full").glob("*"))
  found = raw_trees.read(build(tmp_path, "9px_full", skip_damaged=True))
  assert len(found["train"]) == 2 * kept
  assert words in capsys.readouterr().out


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files(tmp_path, name, capsys):
  damage, words, kept = DAMAGE[name]
  save_tree(tmp_path / "raw", [2, 1])
  path = tmp_path / "raw" / "records" / name_of(0)
  path.write_bytes(damage(path.read_bytes()))
  check_damage(tmp_path, path, words, kept, capsys)


@pytest.mark.parametrize("name", BAD_STEPS)
def test_damaged_steps(tmp_path, name, capsys):
  bad, words = BAD_STEPS[name]
  save_tree(tmp_path / "raw", [1, 1])
  path = tmp_path / "raw" / "records" / name_of(0)
  save_records(path, [bad, example(step())])
  check_damage(tmp_path, path, words, 2, capsys)
