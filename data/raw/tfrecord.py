"""TFRecord files without TensorFlow: their records, and the `tf.train.Example` that each holds.

A record is its length (8 bytes) and content, each followed by a masked CRC-32C (4 bytes), all
little-endian; a file is its records, as they are or compressed as a whole with GZIP.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import io
import os
import pathlib
import struct
import zlib
from collections.abc import Collection, Iterator

import numpy as np

from data.raw.crc32c import crc32c
from data.raw.damage import Damaged

_LENGTH = struct.Struct("<QI")
_CHECK = struct.Struct("<I")
BESIDE = _LENGTH.size + _CHECK.size  # bytes of a record that are not its content
_MOST_BYTES = 1 << 31  # of a record: more cannot be an Example
_MAGIC = b"\x1f\x8b"  # how GZIP begins
_WITH_HEADER = 16 + zlib.MAX_WBITS  # of zlib: the format GZIP
_BUFFER = 1 << 20  # bytes that are read or unzipped at once
_COMPRESSED = 1 << 16
_NOT_WHOLE = "was it fully downloaded?"

Values = list[bytes] | np.ndarray


def read_records(path: str | os.PathLike, compression: str = "") -> Iterator[bytes]:
  """The records of a file in their order, each with its checksums compared.

  Args:
    path: the file.
    compression: "gzip", or "" for none.

  Raises:
    Damaged: the file is missing or empty, of the other kind, cut short or altered; once the records
      before that place are read.
  """
  with _opened(path, compression) as file:
    place = 0
    while (record := _next_record(file, path, place)) is not None:
      yield record
      place += BESIDE + len(record)


def record_offsets(path: str | os.PathLike) -> Iterator[int]:
  """Where the records of a file without compression begin, found by their lengths alone.

  What follows a damaged length cannot be found: its record is the last, and reading it says what is
  wrong with it. So it does with an empty file, as if that had one.
  """
  with open(path, "rb", buffering=0) as file:  # lengths alone are read
    size, place = os.fstat(file.fileno()).st_size, 0
    while place < max(size, 1):
      yield place
      file.seek(place)
      header = file.read(_LENGTH.size)
      if len(header) < _LENGTH.size or not _is_length(header):
        return
      place += BESIDE + _LENGTH.unpack(header)[0]


def read_record(path: str | os.PathLike, offset: int) -> bytes:
  """The record at an offset of a file without compression; Damaged as `read_records`."""
  with _opened(path, "", buffering=0) as file:
    file.seek(offset)
    record = _next_record(file, path, offset)
    if record is None:
      raise Damaged(path, f"ends before byte {offset}; {_NOT_WHOLE}")
    return record


def estimated_count(paths: Collection[pathlib.Path]) -> int:
  """About how many records files without compression hold: those of the first, and by size."""
  sizes = {path: path.stat().st_size for path in paths}
  first = next((path for path, size in sizes.items() if size), None)
  if first is None:
    return 0
  count = sum(1 for _ in record_offsets(first))
  return round(count * sum(sizes.values()) / sizes[first])


def parse_example(
  record: bytes,
  path: str | os.PathLike = "a TFRecord file",
  one_byte: Collection[str] = (),
  only: Collection[str] | None = None,
) -> dict[str, Values]:
  """The features of a `tf.train.Example` by name.

  Args:
    record: the serialised Example.
    path: the file it is from, for messages.
    one_byte: features with a text of one byte for every value, as TensorFlow writes uint8 arrays
      of fixed shape; read at once, since they hold as many texts as pictures have values.
    only: features to read; None for all.

  Returns:
    list[bytes] for bytes, float32 [N] or int64 [N] for numbers, uint8 [N] for those of `one_byte`;
    an empty list for a feature without values.

  Raises:
    Damaged: it is no Example, or a feature of `one_byte` is something else.
  """
  try:
    features = {}
    for name, feature in _features(memoryview(record)):
      if only is not None and name not in only:
        continue
      features[name] = _one_byte(feature) if name in one_byte else _values(feature)
    return features
  except ValueError as error:
    raise Damaged(path, f"holds a record that is no tf.train.Example ({error})") from None


def _opened(path: str | os.PathLike, compression: str, buffering: int = _BUFFER) -> io.IOBase:
  if compression not in ("", "gzip"):
    raise ValueError(f"compression is {compression!r}, not '' or 'gzip'")
  try:
    file = open(path, "rb", buffering=buffering)
  except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
    raise Damaged(path, "does not exist") from None
  begin = file.read(len(_MAGIC))
  file.seek(0)
  if begin and (begin == _MAGIC or not compression):
    return _Unzipped(file) if compression else file
  file.close()
  if not begin:
    raise Damaged(path, "is empty")
  raise Damaged(path, "is not compressed with GZIP: give the file as it was downloaded")


class _Unzipped(io.RawIOBase):
  """What a GZIP file holds; unlike `gzip` gives all that comes before a place that is damaged."""

  def __init__(self, file: io.BufferedReader):
    super().__init__()
    self._file, self._decoder = file, zlib.decompressobj(_WITH_HEADER)
    self._ready = bytearray()

  def read(self, count: int) -> bytes:
    """The next `count` bytes, fewer at the end; EOFError or zlib.error where it is damaged."""
    while len(self._ready) < count and self._fill():
      pass
    found = bytes(self._ready[:count])
    del self._ready[:count]
    return found

  def _fill(self) -> bool:
    """Unzips some more; false at the end."""
    content = self._decoder.unconsumed_tail or self._decoder.unused_data
    content = content or self._file.read(_COMPRESSED)
    if self._decoder.eof:
      if not content:
        return False
      self._decoder = zlib.decompressobj(_WITH_HEADER)  # the next of several parts
    elif not content:
      raise EOFError
    self._ready += self._decoder.decompress(content, _BUFFER)
    return True

  def close(self):
    self._file.close()
    super().close()


def _next_record(file: io.IOBase, path: str | os.PathLike, place: int) -> bytes | None:
  """The record that begins where the file is read, None at its end; `place` is for messages."""
  header = _read(file, path, _LENGTH.size)
  if not header:
    return None
  if len(header) < _LENGTH.size:
    raise Damaged(path, f"is cut short in the record at byte {place}; {_NOT_WHOLE}")
  if not _is_length(header):
    if not place and header.startswith(_MAGIC):
      raise Damaged(path, "is compressed with GZIP, but is published without")
    what = f"is altered at byte {place}" if place else "is not a TFRecord file"
    raise Damaged(path, f"{what}: the checksum of a length is wrong")
  length, _ = _LENGTH.unpack(header)
  if length > _MOST_BYTES:
    raise Damaged(path, f"declares a record of {length} bytes at byte {place}")
  content = _read(file, path, length + _CHECK.size)
  if len(content) < length + _CHECK.size:
    found = f"{len(header) + len(content)} of {BESIDE + length} bytes"
    raise Damaged(path, f"is cut short: the record at byte {place} has {found}; {_NOT_WHOLE}")
  record = content[:length]
  if _masked(crc32c(record)) != _CHECK.unpack_from(content, length)[0]:
    raise Damaged(path, f"is altered: the checksum of the record at byte {place} is wrong")
  return record


def _read(file: io.IOBase, path: str | os.PathLike, count: int) -> bytes:
  """The next bytes, fewer at the end of the file."""
  try:
    return file.read(count)
  except EOFError:
    raise Damaged(path, f"is cut short: its GZIP stream does not end; {_NOT_WHOLE}") from None
  except zlib.error as error:
    raise Damaged(path, f"has a damaged GZIP stream ({error}); {_NOT_WHOLE}") from None


def _is_length(header: bytes) -> bool:
  return _masked(crc32c(header[:8])) == _LENGTH.unpack(header)[1]


def _masked(checksum: int) -> int:
  """As TFRecord stores a CRC, so that a CRC over CRCs keeps its strength."""
  rotated = checksum >> 15 | checksum << 17
  return (rotated + 0xA282EAD8) & 0xFFFFFFFF


# Protocol buffers: every field is a tag (number and kind of its value), then the value.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT = 10  # bytes of an integer


def _features(example: memoryview) -> Iterator[tuple[str, memoryview]]:
  """Names and serialised values: Example.features is a map in `Features.feature`."""
  for features in _inside(example, 1):
    for entry in _inside(features, 1):
      yield bytes(_last(entry, 1)).decode(), _last(entry, 2)


def _values(feature: memoryview) -> Values:
  """Of a Feature: a BytesList (1), FloatList (2) or Int64List (3), whose values are field 1."""
  values: Values = []
  for number, kind, content in _fields(feature):
    if kind == _BYTES and number in (1, 2, 3):
      values = (_texts, _floats, _integers)[number - 1](content)
  return values


def _one_byte(feature: memoryview) -> np.ndarray:
  """The values of a BytesList of one-byte texts: each is a tag, the length 1, and the byte."""
  tag = 1 << 3 | _BYTES
  entries = np.frombuffer(_last(feature, 1), np.uint8)
  if entries.size % 3 or (entries[0::3] != tag).any() or (entries[1::3] != 1).any():
    raise ValueError("a text is not of one byte")
  return entries[2::3]


def _texts(content: memoryview) -> list[bytes]:
  return [bytes(value) for value in _inside(content, 1)]


def _floats(content: memoryview) -> np.ndarray:
  """Packed, as they are usually written, or each with a tag of its own."""
  parts = [
    np.frombuffer(value, "<f4")
    for number, kind, value in _fields(content)
    if number == 1 and kind in (_BYTES, _FIXED32)
  ]
  return np.concatenate([np.zeros(0, np.float32), *parts])


def _integers(content: memoryview) -> np.ndarray:
  """As `_floats`, in varints."""
  parts = []
  for number, kind, value in _fields(content):
    if number == 1 and kind == _BYTES:
      parts.append(_varints(value))
    elif number == 1 and kind == _VARINT:
      parts.append(np.array([value], np.uint64))
  values = np.concatenate([np.zeros(0, np.uint64), *parts])
  return values.view(np.int64)  # negative ones are written in full


def _varints(packed: memoryview) -> np.ndarray:
  """All the integers, uint64 [N]: seven bits a byte, the last byte of each below 0x80."""
  parts = np.frombuffer(packed, np.uint8)
  ends = np.flatnonzero(parts < 0x80) + 1
  if not len(parts):
    return np.zeros(0, np.uint64)
  if not len(ends) or ends[-1] < len(parts):
    raise ValueError("an integer is cut short")
  starts = np.concatenate([[0], ends[:-1]])
  lengths = ends - starts
  if lengths.max() > _MOST_VARINT:
    raise ValueError("an integer of more than 64 bits")
  shifts = 7 * (np.arange(len(parts)) - np.repeat(starts, lengths))
  digits = (parts & 0x7F).astype(np.uint64) << shifts.astype(np.uint64)
  return np.add.reduceat(digits, starts)


def _inside(message: memoryview, wanted: int) -> Iterator[memoryview]:
  """The values of a field that holds messages or texts."""
  for number, kind, value in _fields(message):
    if number == wanted and kind == _BYTES:
      yield value


def _last(message: memoryview, wanted: int) -> memoryview:
  """The value of a field of which the last one counts; empty where there is none."""
  found = memoryview(b"")
  for value in _inside(message, wanted):
    found = value
  return found


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview | int]]:
  """Number, kind and value of every field: an integer for varints, else bytes.

  Raises:
    ValueError: it is no message, or cut short.
  """
  place = 0
  while place < len(message):
    tag, place = _varint(message, place)
    kind = tag & 7
    if kind == _VARINT:
      value, place = _varint(message, place)
    else:
      if kind == _BYTES:
        size, place = _varint(message, place)
      elif kind in (_FIXED32, _FIXED64):
        size = 4 if kind == _FIXED32 else 8
      else:
        raise ValueError(f"a field of kind {kind}")
      if place + size > len(message):
        raise ValueError("a field is cut short")
      value = message[place : place + size]
      place += size
    yield tag >> 3, kind, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
  """The integer at a place, seven bits a byte, and the place behind it."""
  value = 0
  for number, byte in enumerate(message[place : place + 10]):
    value |= (byte & 0x7F) << 7 * number
    if byte < 0x80:
      return value & 0xFFFFFFFFFFFFFFFF, place + number + 1
  raise ValueError("an integer does not end")
