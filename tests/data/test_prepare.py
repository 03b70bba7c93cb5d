"""Preparing a dataset: from the command to pictures read back, and whatever may go wrong."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data import prepare
from data.multi_dsprites import drawing, multi_dsprites_dataset_builder, names, scenes, sprites
from objectcentric_jax import records
from objectcentric_jax.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = "64px_1-4_train300_validation4_test4"  # more scenes than one task of a worker
SMALL_SIZE = "24px_2-3_unique_published_train40"


def start(*arguments: str) -> subprocess.Popen:
  """`python -m data.prepare ...` in a process group of its own."""
  return subprocess.Popen(
    [sys.executable, "-m", "data.prepare", *arguments],
    cwd=ROOT,
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )


def shards(directory: pathlib.Path) -> dict[str, bytes]:
  return {path.name: path.read_bytes() for path in directory.glob("*.array_record-*")}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def tiny(root):
  return prepare.prepare(f"multi_dsprites/{TINY}", root, processes=2)


def test_everything_written_is_read_back(tiny):
  options = names.parse(TINY)
  builder = tfds.builder_from_directory(tiny)
  keys = set()
  for split in scenes.SPLITS:
    source = builder.as_data_source(split)
    assert len(source) == options.count(split)
    for example in list(source)[:60]:
      key = example["metadata"]["key"].decode()
      keys.add(key)
      assert key.startswith(f"{split}-") and len(key) == len(split) + 9
      recipe = scenes.own_recipe(options, split, int(key[-8:]), sprites.SPRITE_COUNT)
      image, segmentation = scenes.paint(recipe, 64, drawing.formula_patches(64))
      np.testing.assert_array_equal(example["image"], image)
      np.testing.assert_array_equal(example["segmentation"], segmentation)
      assert example["num_objects"] == len(recipe.sprite_indices)
      factors = scenes.factors(recipe, segmentation, 4)
      assert set(example["factors"]) == set(factors)
      for name, values in factors.items():
        np.testing.assert_array_equal(example["factors"][name], values)
        assert example["factors"][name].dtype == values.dtype
  assert len(keys) == 68


def test_tfds_opens_a_set_by_its_name(root, tiny):
  builder = tfds.builder(f"multi_dsprites/{TINY}", data_dir=root)
  assert builder.data_dir == str(tiny)
  by_name, by_place = (
    b.as_data_source("test")[0] for b in (builder, tfds.builder_from_directory(tiny))
  )
  np.testing.assert_array_equal(by_name["image"], by_place["image"])


def test_metadata_and_place(root, tiny):
  assert (
    tiny == root / "multi_dsprites" / TINY / "1.0.0" == records.find(f"multi_dsprites/{TINY}", root)
  )
  records.verify(tiny)
  described = records.metadata(tiny)
  assert described["labels"] == 5 and described["background_ids"] == [0]
  assert described["max_objects"] == 4 and described["seed"] == 0
  assert described["source"] == "generated"
  assert str(root) not in "".join(path.read_text() for path in tiny.glob("*.json"))


def test_shards_do_not_depend_on_processes(tiny, tmp_path):
  again = prepare.prepare(f"multi_dsprites/{TINY}", tmp_path, processes=1)
  assert len(shards(again)) == 3
  assert shards(again) == shards(tiny)


def test_other_size_unique_and_published(tmp_path):
  options = names.parse(SMALL_SIZE)
  directory = prepare.prepare(f"multi_dsprites/{SMALL_SIZE}", tmp_path, processes=2)
  source = tfds.builder_from_directory(directory).as_data_source("validation")
  recipes = list(scenes.published_recipes(options, "validation", sprites.SPRITE_COUNT))
  assert len(source) == len(recipes) == 4
  for example in source:
    recipe = recipes[int(example["metadata"]["key"][-8:])]
    image, segmentation = scenes.paint(recipe, 24, drawing.formula_patches(24))
    assert image.shape == (24, 24, 3)
    np.testing.assert_array_equal(example["image"], image)
    np.testing.assert_array_equal(example["segmentation"], segmentation)


def test_a_prepared_set_is_left_alone_and_a_damaged_one_is_not_taken(root, tiny, capsys):
  times = {path.name: path.stat().st_mtime_ns for path in tiny.iterdir()}
  assert prepare.prepare(f"multi_dsprites/{TINY}", root) == tiny
  assert "is ready and whole" in capsys.readouterr().out
  assert times == {path.name: path.stat().st_mtime_ns for path in tiny.iterdir()}
  shard = next(tiny.glob("*-test.array_record*"))
  whole = shard.read_bytes()
  shard.write_bytes(whole[:-1])
  with pytest.raises(InputError, match=f"{shard.name} truncated.*--overwrite"):
    prepare.prepare(f"multi_dsprites/{TINY}", root)
  assert "damaged" in prepare.table(root)
  prepare.prepare(f"multi_dsprites/{TINY}", root, overwrite=True)
  assert shard.read_bytes() == whole
  assert not list((root / "multi_dsprites").glob(".*.building"))


def test_a_killed_build_is_noticed_and_started_clean(tmp_path):
  name = "multi_dsprites/16px_1-2_train4000"
  reference = prepare.prepare(name, tmp_path / "reference", processes=1)
  killed_root = tmp_path / "killed"
  workshop = killed_root / "multi_dsprites" / ".16px_1-2_train4000.building"
  process = start(name, "--data-dir", str(killed_root), "--processes", "2")
  while process.poll() is None and not list(workshop.rglob("*incomplete*")):
    time.sleep(0.005)
  os.killpg(process.pid, signal.SIGKILL)
  process.communicate()
  assert process.returncode == -signal.SIGKILL
  assert workshop.is_dir() and "unfinished" in prepare.table(killed_root)
  with pytest.raises(InputError, match="python -m data.prepare"):
    records.find(name, killed_root)
  again = start(name, "--data-dir", str(killed_root))
  output, errors = again.communicate()
  assert again.returncode == 0, errors
  assert "removing what an unfinished build left" in output
  assert not workshop.exists()
  directory = records.find(name, killed_root)
  records.verify(directory)
  assert shards(directory) == shards(reference)


def test_two_at_once_make_it_once(tmp_path):
  name = "multi_dsprites/16px_1-2_train3000"
  both = [start(name, "--data-dir", str(tmp_path), "--processes", "1") for _ in range(2)]
  outputs = [process.communicate() for process in both]
  assert [process.returncode for process in both] == [0, 0], outputs
  texts = "".join(output for output, _ in outputs)
  assert texts.count("3,600 scenes, about") == 1 and texts.count("is ready and whole") == 1
  records.verify(records.find(name, tmp_path))


def test_what_the_command_says(tmp_path):
  name = "multi_dsprites/16px_1-2_train20"
  process = start(name, "--data-dir", str(tmp_path))
  output, errors = process.communicate()
  assert process.returncode == 0 and errors == ""
  first, source, licence, into, made, last = output.splitlines()
  assert made == "  made: 20 train, 2 validation, 2 test"
  assert first.startswith(f"{name}: 24 scenes, about 0.0 MB")
  assert "source: generated" in source and "licence: " in licence
  assert str(tmp_path / name) in into and last.startswith(f"{name} is ready: {tmp_path / name}")


@pytest.mark.parametrize(
  "arguments, words",
  [
    (["multi_dsprite"], ["'multi_dsprite'", "did you mean multi_dsprites?"]),
    (["multi_dsprites/64px"], ["'64px'", "SIZEpx_MIN-MAX", "64px_1-4_unique"]),
    (["multi_dsprites", "--from", "/nowhere"], ["--from /nowhere does not exist"]),
    (["multi_dsprites", "--processes", "0"], ["--processes 0"]),
    ([], ["--list"]),
  ],
)
def test_errors_are_one_line(arguments, words, tmp_path):
  with pytest.raises(InputError) as caught:
    prepare.main([*arguments, "--data-dir", str(tmp_path)])
  assert "\n" not in str(caught.value)
  for word in words:
    assert word in str(caught.value)


def test_too_little_space_is_said_before_anything_is_written(tmp_path, monkeypatch):
  usage = prepare.shutil.disk_usage(tmp_path)._replace(free=1_000_000)
  monkeypatch.setattr(prepare.shutil, "disk_usage", lambda _: usage)
  with pytest.raises(InputError, match="1.0 MB free, .* are needed; .*--data-dir"):
    prepare.prepare("multi_dsprites", tmp_path)
  assert [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_list_shows_what_is_there_and_what_could_be(root, tiny, capsys):
  assert prepare.can_generate("multi_dsprites") and prepare.can_generate(f"multi_dsprites/{TINY}")
  prepare.main(["--list", "--data-dir", str(root)])
  lines = [re.split(" {2,}", line) for line in capsys.readouterr().out.splitlines()]
  assert lines[0] == ["NAME", "STATE", "SIZE", "MADE FROM", "LICENCE"]
  rows = {row[0]: row[1:] for row in lines[1:]}
  assert all(len(row) == 4 for row in rows.values())
  assert {row.partition("/")[0] for row in rows} == set(prepare.dataset_names())
  builder = multi_dsprites_dataset_builder.Builder
  assert rows["multi_dsprites/64px_1-4"] == (
    ["not prepared", builder.SIZE, builder.SOURCE, builder.LICENCE]
  )
  assert rows[f"multi_dsprites/{TINY}"][0] == "ready"
  assert rows[f"multi_dsprites/{TINY}"][2:] == ["generated", builder.LICENCE]


def test_no_tensorflow_is_loaded(tiny):
  assert json.loads((tiny / "dataset_info.json").read_text())["fileFormat"] == "array_record"
  assert "tensorflow" not in sys.modules
