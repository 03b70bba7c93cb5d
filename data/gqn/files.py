"""Which files of a GQN dataset are there, and to which split they belong."""

import re
from pathlib import Path

from data.gqn.names import Options
from objectcentric_jax.errors import InputError

VALIDATION_SHARE = 60  # one file in so many is for validation
_NAME = re.compile(r"([0-9]+)-of-([0-9]+)\.tfrecord")


def find(raw: Path, options: Options) -> dict[str, list[Path]]:
  """The files of every split that has any, in the order of their numbers.

  The published training files are divided as GENESIS does: the last of all that were published, one
  in 60, are for validation, whether they are there or not.

  Raises:
    InputError: there is none, or names that contradict each other.
  """
  folder = raw / options.version if (raw / options.version).is_dir() else raw
  train, published = _numbered(folder / "train")
  test, _ = _numbered(folder / "test")
  if not train and not test:
    raise InputError(
      f"--from {raw} holds no files of {options.version}: train/NNNN-of-NNNN.tfrecord or "
      "test/NNN-of-NNN.tfrecord"
    )
  if options.validation_files is None:
    last = published - published // VALIDATION_SHARE
  elif options.validation_files <= len(train):
    last = max(sorted(train)[: len(train) - options.validation_files], default=0)
  else:
    raise InputError(f"--from {raw} has {len(train)} training files, fewer than for validation")
  splits = {
    "train": [path for number, path in sorted(train.items()) if number <= last],
    "validation": [path for number, path in sorted(train.items()) if number > last],
    "test": [path for _, path in sorted(test.items())],
  }
  return {split: paths for split, paths in splits.items() if paths}


def _numbered(folder: Path) -> tuple[dict[int, Path], int]:
  """Files by their numbers, from 1, and how many were published."""
  found, published = {}, 0
  for path in sorted(folder.iterdir()) if folder.is_dir() else []:
    name = _NAME.fullmatch(path.name)
    if name:
      number, count = int(name[1]), int(name[2])
      if not 1 <= number <= count or published not in (0, count) or number in found:
        raise InputError(f"{path} does not fit the names of the other files in its folder")
      found[number], published = path, count
  return found, published
