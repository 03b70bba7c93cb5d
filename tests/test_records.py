"""Finding prepared datasets and noticing what is wrong with them."""

import json
import os

import pytest

from objectcentric_jax import records
from objectcentric_jax.errors import InputError

SHARD = "toy-train.array_record-00000-of-00001"


@pytest.fixture
def root(tmp_path, monkeypatch):
  monkeypatch.setenv(records.ENVIRONMENT_VARIABLE, str(tmp_path / "data"))
  return tmp_path / "data"


def make_set(root, config="small", version="1.0.0"):
  """A stand-in for a prepared set; what is in the files does not matter here."""
  directory = root / "toy" / config / version
  directory.mkdir(parents=True)
  (directory / SHARD).write_bytes(bytes(range(200)) * 10)
  (directory / records.METADATA).write_text(json.dumps({"labels": 5, "background_ids": [0]}))
  records.note_default_config(root / "toy", "small")
  records.write_manifest(directory)
  return directory


def failure(function, *arguments) -> str:
  with pytest.raises(InputError) as caught:
    function(*arguments)
  assert "\n" not in str(caught.value)
  return str(caught.value)


def test_data_root_is_argument_then_environment_then_home(monkeypatch, tmp_path):
  monkeypatch.setenv("HOME", str(tmp_path))
  monkeypatch.setenv(records.ENVIRONMENT_VARIABLE, "/from/environment")
  assert str(records.data_root("~/given")) == str(tmp_path / "given")
  assert str(records.data_root(None)) == "/from/environment"
  monkeypatch.delenv(records.ENVIRONMENT_VARIABLE)
  assert records.data_root(None) == tmp_path / "objectcentric_data"


def test_find_takes_the_default_config_and_the_newest_version(root):
  make_set(root, version="1.9.0")
  newest = make_set(root, version="1.10.0")
  other = make_set(root, config="large")
  (root / "toy" / "small" / "1.11.0.building").mkdir()
  assert records.find("toy", root) == newest
  assert records.find("toy/large", root) == other


def test_find_says_where_it_looked_how_to_make_it_and_what_is_there(root):
  message = failure(records.find, "toy", root)
  assert str(root / "toy") in message and "python -m data.prepare toy" in message
  assert "prepared there" not in message
  make_set(root, config="large")
  message = failure(records.find, "toy", root)
  assert str(root / "toy" / "small") in message and "toy/large" in message
  assert "--data-dir" not in message


def test_commands_name_a_root_that_is_not_the_default(root, tmp_path):
  message = failure(records.find, "toy/small", tmp_path / "elsewhere")
  assert message.endswith(f"python -m data.prepare toy/small --data-dir {tmp_path / 'elsewhere'}")


def test_metadata(root):
  directory = make_set(root)
  assert records.metadata(directory) == {"labels": 5, "background_ids": [0]}
  (directory / records.METADATA).write_text("{")
  assert "metadata.json" in failure(records.metadata, directory)


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda d: (d / SHARD).unlink(), f"lacks {SHARD}"),
    (lambda d: (d / SHARD).write_bytes(b"abc"), f"{SHARD} truncated: 3 bytes instead of 2000"),
    (lambda d: (d / SHARD).write_bytes(bytes(2004)), f"{SHARD} altered: 2004 bytes instead of"),
    (lambda d: (d / SHARD).write_bytes(bytes(2000)), f"{SHARD} altered: sha256 "),
    (lambda d: (d / records.MANIFEST).unlink(), "has no manifest.json, so its build did not end"),
    (lambda d: (d / records.MANIFEST).write_text('{"fil'), "has an unreadable manifest.json"),
  ],
  ids=["missing", "truncated", "longer", "altered", "unfinished", "torn manifest"],
)
def test_verify_names_the_damage_and_the_remedy(root, damage, words):
  directory = make_set(root)
  records.verify(directory)
  damage(directory)
  message = failure(records.verify, directory)
  assert words in message
  assert message.endswith("python -m data.prepare toy/small --overwrite")


def test_verify_reads_checksums_again_only_when_a_file_changed(root, monkeypatch):
  directory = make_set(root)
  read = []
  checksum = records._sha256
  monkeypatch.setattr(records, "_sha256", lambda path: read.append(path.name) or checksum(path))
  records.verify(directory)
  assert SHARD not in read
  os.utime(directory / SHARD, ns=(1, 1))
  records.verify(directory)
  assert SHARD in read
  read.clear()
  records.verify(directory)
  assert SHARD not in read


def test_a_folder_that_cannot_be_written_is_read_in_full(root, monkeypatch):
  directory = make_set(root)
  (directory / records.CHECKED).unlink()

  def refuse(*_):
    raise PermissionError("read-only")

  monkeypatch.setattr(records, "_write_whole", refuse)
  records.verify(directory)
  (directory / SHARD).write_bytes(bytes(2000))
  assert "altered" in failure(records.verify, directory)
