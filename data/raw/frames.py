"""Picture files that are numbered by their names, and frames of one size.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.raw_images import check_size, decode_rgb, image_size, read_bytes
from objectcentric_jax.errors import InputError


class Like(NamedTuple):
  """A picture that gives others their size."""

  size: tuple[int, int]  # height and width
  path: Path


class Frame(NamedTuple):
  """One frame of a sequence, and where it is."""

  sequence: str
  number: int  # its successor in the sequence has the next one
  path: Path
  like: Like
  more: Any = None  # what else is to be known to read it

  @property
  def key(self) -> str:
    """Stable and unique in the set."""
    return f"{self.sequence}/{self.number:06d}"


def first_size(paths: Iterable[Path]) -> Like:
  """The size of the first picture that has one; Damaged, by the first, where none has."""
  first = None
  for path in paths:
    try:
      return Like(image_size(read_bytes(path), path), path)
    except Damaged as damaged:
      first = first or damaged
  raise first


def read_picture(path: Path, like: Like) -> bytes:
  """A picture file as records hold it: the file as it is, unless that is not plain colours.

  As the published loaders do, transparency is dropped and the orientation of cameras not heeded.

  Raises:
    Damaged: it is missing, cannot be decoded, or differs in size from the one it is to be like.
  """
  content = read_bytes(path)
  plain = rgb_files.stored(content, path)[0] is content
  check_size(content, path, *like)
  return content if plain else rgb_files.png(decode_rgb(content, path))


def numbered(folder: Path, pattern: re.Pattern) -> dict[int, Path]:
  """The files of a folder whose names match, by the number in the pattern's first group, ascending.

  Raises:
    InputError: no folder, or two files of one number.
  """
  if not folder.is_dir():
    raise InputError(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}")
  found = {}
  for path in sorted(folder.iterdir()):
    match = pattern.fullmatch(path.name)
    if match:
      number = int(match[1])
      if number in found:
        both = f"{found[number].name} and {path.name}"
        raise InputError(f"{folder} holds number {number} twice: {both}")
      found[number] = path
  return dict(sorted(found.items()))


def with_gaps(found: dict[int, Path], name_of: Callable[[int], str]) -> dict[int, Path]:
  """Numbered files, and of each run of missing ones the first, so that reading it says so.

  Args:
    found: as `numbered` returns it.
    name_of: the name of a file from its number.
  """
  result = {}
  for number, path in found.items():
    if result and number - 1 not in result:
      missing = max(result) + 1
      result[missing] = path.with_name(name_of(missing))
    result[number] = path
  return result
