"""Downloaded archives: unpacked for a build after a look at what they would write, and where."""

import contextlib
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from data.raw.damage import Damaged
from objectcentric_jax.errors import InputError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ERRORS = (
  *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError),
  *(NotImplementedError, RuntimeError),  # compressed in an unknown way, or encrypted
)


class _Member(NamedTuple):
  name: str
  size: int
  kind: str  # "file", "folder", or what else it is


def is_archive(path: Path) -> bool:
  """Whether this is a file that `unpack` takes, by its name."""
  return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(path: Path, folder: Path) -> None:
  """Writes the files of an archive into a new folder, or none of them.

  Args:
    path: zip or tar file, perhaps compressed.
    folder: is made.

  Raises:
    Damaged: the archive cannot be read to its end.
    InputError: it would write outside of the folder, or something else than files and folders, or
      more than there is room for.
  """
  folder.mkdir()
  try:
    with _read(path) as members:
      _check(path, [member for member, _ in members], folder)
      for member, copy in members:
        target = folder / member.name
        if member.kind == "folder":
          target.mkdir(parents=True, exist_ok=True)
        else:
          target.parent.mkdir(parents=True, exist_ok=True)
          with copy() as source, target.open("xb") as file:
            shutil.copyfileobj(source, file)
  except InputError:
    shutil.rmtree(folder)
    raise
  except _ERRORS as error:
    shutil.rmtree(folder)
    raise Damaged(path, f"cannot be unpacked ({error or type(error).__name__})") from None


@contextlib.contextmanager
def _read(path: Path) -> Iterator[list]:
  """The members of an archive, each with a function that opens it."""
  if path.name.lower().endswith(".zip"):
    with zipfile.ZipFile(path) as archive:
      yield [(_zip_member(i), lambda i=i: archive.open(i)) for i in archive.infolist()]
  else:
    with tarfile.open(path) as archive:
      yield [(_tar_member(m), lambda m=m: archive.extractfile(m)) for m in archive.getmembers()]


def _zip_member(info: zipfile.ZipInfo) -> _Member:
  mode = info.external_attr >> 16
  kind = "folder" if info.is_dir() else "link" if stat.S_ISLNK(mode) else "file"
  return _Member(info.filename, info.file_size, kind)


def _tar_member(info: tarfile.TarInfo) -> _Member:
  kind = "file" if info.isfile() else "folder" if info.isdir() else "link or device"
  return _Member(info.name, info.size, kind)


def _check(path: Path, members: list[_Member], folder: Path) -> None:
  """InputError unless all members are files and folders inside the target that fit there."""
  names = set()
  for name, _, kind in members:
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts:
      raise InputError(f"{path} would write outside of its folder, to {name!r}; do not use it")
    if kind not in ("file", "folder"):
      raise InputError(f"{path} holds a {kind}, {name!r}, not only files and folders; unpack it")
    if kind == "file" and place in names:
      raise InputError(f"{path} holds {name!r} twice; do not use it")
    names.add(place)
  needed, free = sum(member.size for member in members), shutil.disk_usage(folder).free
  if needed > free:
    raise InputError(
      f"{path} unpacks to {needed / 1e9:,.1f} GB, but {folder.parent} has {free / 1e9:,.1f} GB free"
    )
