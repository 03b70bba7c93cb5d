"""Builders on Apache Beam: what can be checked without it, and by hand with its local runner."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from data import prepare
from data.building import beam
from data.raw.damage import Damaged
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.conftest import ROOT
from tests.golden import case as golden

RAW = golden.PUBLIC / "datasets" / "shapestacks" / "raw"


def pair(item):
  """Two examples of a number; none of 3."""
  if item == 3:
    raise Damaged("three.png", "is\nempty")
  return [{"metadata": {"key": f"{item}-{i}"}, "value": item} for i in range(2)]


def made(items, notes, skip):
  return [key for item in items for key, _ in beam._made(item, pair, notes, skip)]


def test_damage_is_noted_once_and_left_out(tmp_path):
  damaged, notes = [], tmp_path / "notes"
  with beam.damage_reported(notes, damaged):
    assert made([1, 3, 2, 3], notes, skip=True) == ["1-0", "1-1", "2-0", "2-1"]
  assert [str(found) for found in damaged] == [str(Damaged("three.png", "is empty"))]


def test_damage_that_stops_a_pipeline_is_what_is_raised(tmp_path):
  """Beam wraps what its machines raise."""
  with pytest.raises(Damaged, match="three.png is empty"):
    with beam.damage_reported(tmp_path / "notes", []):
      try:
        made([1, 3], tmp_path / "notes", skip=False)
      except Damaged as error:
        raise RuntimeError(f"a stage failed:\n{error} [while running 'FlatMap']") from None
  with pytest.raises(ZeroDivisionError):
    with beam.damage_reported(tmp_path / "others", []):
      1 / 0  # noqa: B018


def test_sets_that_are_not_made_item_by_item_are_refused(tmp_path):
  for name in ("multi_dsprites", "grand_central"):
    with pytest.raises(InputError, match=f"--beam: {name} is not made item by item"):
      prepare.prepare(name, tmp_path, RAW, beam_options="")


def test_beam_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
  for name in [name for name in sys.modules if name.partition(".")[0] == "apache_beam"]:
    monkeypatch.delitem(sys.modules, name)
  monkeypatch.setitem(sys.modules, "apache_beam", None)
  with pytest.raises(InputError, match=r"--beam needs Apache Beam .*objectcentric_jax\[beam\]"):
    prepare.prepare("shapestacks", tmp_path, RAW, beam_options="")
  assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".default.lock"]


def command(*arguments):
  return subprocess.run(
    [sys.executable, "-m", "data.prepare", "shapestacks", *map(str, arguments)],
    cwd=ROOT,
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
  )


def shards(root):
  directory = records.find("shapestacks", root)
  return {path.name: path.read_bytes() for path in directory.glob("*.array_record*")}


@pytest.mark.slow
def test_the_local_runner_makes_the_same_shards(tmp_path):
  """Needs the extra `beam`."""
  assert importlib.util.find_spec("apache_beam"), "install the extra `beam`"
  prepare.prepare("shapestacks", tmp_path / "plain", RAW, 1)
  several = "--beam=--direct_num_workers=2 --direct_running_mode=multi_processing"
  for number, options in enumerate(("--beam", several)):
    root = tmp_path / str(number)
    done = command("--from", RAW, "--data-dir", root, options)
    assert done.returncode == 0, done.stderr
    assert shards(root) == shards(tmp_path / "plain")


@pytest.mark.slow
def test_the_local_runner_reports_damage(tmp_path):
  """Needs the extra `beam`."""
  raw = tmp_path / "raw"
  shutil.copytree(RAW, raw)
  cut = sorted(raw.rglob("rgb-*.png"))[0]
  cut.chmod(0o644)
  cut.write_bytes(cut.read_bytes()[:500])
  done = command("--from", raw, "--data-dir", tmp_path / "sets", "--beam")
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1].startswith(f"error: {cut} cannot be read")
  done = command("--from", raw, "--data-dir", tmp_path / "sets", "--beam", "--skip-damaged")
  assert done.returncode == 0, done.stderr
  assert "left out 1 damaged" in done.stdout
  assert str(cut) in (records.find("shapestacks", tmp_path / "sets") / "damaged.txt").read_text()
