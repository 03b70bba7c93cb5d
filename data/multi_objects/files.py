"""The file of a Multi-Object Dataset: where it is, and about how many records it has."""

import itertools
import zlib
from pathlib import Path

from data.multi_objects.layouts import Layout
from data.raw.damage import Damaged
from data.raw.tfrecord import read_records
from objectcentric_jax.errors import InputError

SAMPLE = 32  # records read for estimates


def find(raw: Path, layout: Layout) -> Path:
  """The file: the one given, or that below a folder, as it is published or by itself.

  Raises:
    InputError: it is not there.
  """
  if raw.is_file():
    return raw
  name = Path(layout.file)
  for path in (raw / name, raw / name.name):
    if path.is_file():
      return path
  raise InputError(f"--from {raw} holds neither {name} nor {name.name}")


def first_records(path: Path) -> list[bytes]:
  """The first records; fewer than SAMPLE where there are no more, or what follows is damaged.

  Raises:
    Damaged: there is none.
  """
  found = []
  try:
    for record in itertools.islice(read_records(path, "gzip"), SAMPLE):
      found.append(record)
  except Damaged:
    if not found:
      raise
  if not found:
    raise Damaged(path, "holds no record")
  return found


def estimated_count(path: Path, sample: list[bytes]) -> int:
  """About how many records a file has, by how much the sample compresses, if that is not all."""
  if len(sample) < SAMPLE:
    return len(sample)
  compressed = len(zlib.compress(b"".join(sample)))
  return max(SAMPLE, round(len(sample) * path.stat().st_size / compressed))


def count(path: Path, most: int) -> int:
  """Records up to `most` that can be read, by reading them."""
  found = 0
  try:
    for _ in itertools.islice(read_records(path, "gzip"), most):
      found += 1
  except Damaged:  # the build says so
    pass
  return found
