"""The review's sets as TFRecord files: one for every split, compressed with GZIP.

Every value of a picture is a text of one byte. The shapes of hidden parts are not in them.
"""

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.raw.damage import Attempt, Damaged
from data.raw.tfrecord import parse_example, read_records
from data.review.scenes import Example, Size, example, key_of

_KINDS = ("image", "segment")


class Record(NamedTuple):
  """One scene."""

  key: str
  content: bytes
  path: Path
  size: Size


def size_of(path: Path) -> Size:
  """What a file holds, as far as it can be read; for the id of the background all of it is read.

  Raises:
    Damaged: no scene can be read.
  """
  read = Attempt(functools.partial(_arrays, path=path))
  count, side, highest, first = 0, 0, 0, None
  try:
    for content in read_records(path, "gzip"):
      arrays, damaged = read(content)
      if damaged is None:
        _, segment = arrays
        count, side = count + 1, side or math.isqrt(segment.size)
        highest = max(highest, int(segment.max()))
      first = first or damaged
  except Damaged as damaged:  # what comes before it will do; the build says so
    first = first or damaged
  if not count:
    raise first or Damaged(path, "holds no record")
  return Size(count, side, side, highest)


def scenes(path: Path, split: str, size: Size) -> Iterator[Record]:
  """The records of a file in order; Damaged as `data.raw.tfrecord.read_records`."""
  for index, content in enumerate(read_records(path, "gzip")):
    yield Record(key_of(split, index), content, path, size)


def read_scene(record: Record) -> list[Example]:
  """A scene as it is stored.

  Raises:
    Damaged: the record holds something else, or pictures of another size.
  """
  image, segment = _arrays(record.content, record.path)
  size, path = record.size, record.path
  if segment.size != size.height * size.width:
    found = math.isqrt(segment.size)
    raise Damaged(path, f"has {found}x{found} pixels in {record.key}, others {size.height}")
  shape = (size.height, size.width)
  return [example(record.key, image.reshape(*shape, 3), segment.reshape(shape), size, path)]


def _arrays(content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
  """The values of the picture and those of the ids."""
  features = parse_example(content, path, _KINDS)
  image, segment = (features.get(name, np.zeros(0, np.uint8)) for name in _KINDS)
  square = math.isqrt(segment.size) ** 2 == segment.size > 0
  if not square or image.size != 3 * segment.size:
    raise Damaged(path, f"is another file: image has {image.size} values, segment {segment.size}")
  return image, segment
