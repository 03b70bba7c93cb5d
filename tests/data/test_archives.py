"""Archives: unpacked whole or not at all, and never to another place."""

import io
import os
import tarfile
import zipfile

import pytest

from data import prepare
from data.raw import archives
from data.raw.damage import Damaged
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.golden import case as golden

FILES = {"a/one.bin": bytes(range(256)) * 400, "a/b/two.txt": b"two", "three.txt": b""}
TAR = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def pack(path, files):
  """An archive of the kind that the name says."""
  if path.suffix == ".zip":
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
      for name, content in files.items():
        archive.writestr(name, content)
  else:
    with tarfile.open(path, TAR["." + path.name.partition(".")[2]]) as archive:
      for name, content in files.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
  return path


def refused(path, folder, words, kind=InputError):
  with pytest.raises(kind) as caught:
    archives.unpack(path, folder)
  text = str(caught.value)
  assert text.startswith(str(path)) and words in text and "\n" not in text
  assert not folder.exists()


@pytest.mark.parametrize("suffix", archives.SUFFIXES)
def test_files_are_unpacked_as_they_are(tmp_path, suffix):
  path = pack(tmp_path / f"files{suffix}", FILES)
  assert archives.is_archive(path)
  archives.unpack(path, tmp_path / "out")
  found = {
    file.relative_to(tmp_path / "out").as_posix(): file.read_bytes()
    for file in (tmp_path / "out").rglob("*")
    if file.is_file()
  }
  assert found == FILES


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
  "name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "a\\..\\..\\evil"]
)
def test_paths_out_of_the_folder_are_refused(tmp_path, suffix, name):
  path = pack(tmp_path / f"files{suffix}", {"a/fine": b"1", name: b"2"})
  if suffix == ".zip":  # which turns backslashes around on some systems only
    assert len(zipfile.ZipFile(path).namelist()) == 2
  refused(path, tmp_path / "out", "would write outside of its folder")
  assert not (tmp_path / "evil").exists()


def test_links_and_devices_are_refused(tmp_path):
  for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
    path = tmp_path / "files.tar"
    with tarfile.open(path, "w") as archive:
      info = tarfile.TarInfo("a")
      info.type, info.linkname = kind, "/etc/passwd"
      archive.addfile(info)
    refused(path, tmp_path / "out", "holds a link or device, 'a'")
  path = tmp_path / "files.zip"
  with zipfile.ZipFile(path, "w") as archive:
    info = zipfile.ZipInfo("a")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, "/etc/passwd")
  refused(path, tmp_path / "out", "holds a link, 'a'")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused(tmp_path):
  path = tmp_path / "files.zip"
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("a", "1")
    archive.writestr("a", "2")
  refused(path, tmp_path / "out", "holds 'a' twice")


def test_more_than_fits_is_refused_before_anything_is_written(tmp_path, monkeypatch):
  path = pack(tmp_path / "files.zip", FILES)
  usage = archives.shutil.disk_usage(tmp_path)._replace(free=1000)
  monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
  refused(path, tmp_path / "out", "0.0 GB free")


@pytest.mark.parametrize("suffix", archives.SUFFIXES)
def test_truncated_archives_leave_nothing_behind(tmp_path, suffix):
  files = {**FILES, "noise.bin": os.urandom(30_000)}
  content = pack(tmp_path / f"whole{suffix}", files).read_bytes()
  for share in (0, 1, 3, 7):
    path = tmp_path / f"files{suffix}"
    path.write_bytes(content[: len(content) * share // 9])
    refused(path, tmp_path / "out", "cannot be unpacked", Damaged)


def test_altered_archives_are_noticed(tmp_path):
  path = pack(tmp_path / "files.zip", FILES)
  content = bytearray(path.read_bytes())
  content[120] ^= 0xFF
  path.write_bytes(content)
  refused(path, tmp_path / "out", "cannot be unpacked", Damaged)


@pytest.mark.parametrize("above", ["", "download/"])
def test_sets_are_made_from_archives(tmp_path, above, capsys):
  """Of the raw files themselves or of a folder that holds them."""
  raw = golden.PUBLIC / "datasets" / "shapestacks" / "raw"
  files = {
    f"{above}{file.relative_to(raw).as_posix()}": file.read_bytes()
    for file in raw.rglob("*")
    if file.is_file()
  }
  path = pack(tmp_path / "shapestacks.tar.gz", files)
  made = prepare.prepare("shapestacks", tmp_path / "sets", path, 1)
  plain = prepare.prepare("shapestacks", tmp_path / "plain", raw, 1)
  shards = [
    {file.name: file.read_bytes() for file in place.glob("*.array_record*")}
    for place in (made, plain)
  ]
  assert shards[0] == shards[1] and records.metadata(made) == records.metadata(plain)
  assert f"unpacking {path}" in capsys.readouterr().out
  assert sorted(p.name for p in (tmp_path / "sets" / "shapestacks").iterdir()) == (
    [".config", ".default.lock", "default"]
  )
  assert prepare.prepare("shapestacks", tmp_path / "sets", path, 1) == made
  assert "not compared with the set" in capsys.readouterr().out
