"""Small TFRecord files that tests read."""

import gzip
import pathlib
import struct
from collections.abc import Iterable, Mapping

import numpy as np

from data.raw.crc32c import crc32c


def framed(record: bytes) -> bytes:
  """A record with its length and the checksums of both."""
  length = struct.pack("<Q", len(record))
  return length + _masked(length) + record + _masked(record)


def save_records(
  path: pathlib.Path, records: Iterable[bytes], compressed: bool = False
) -> pathlib.Path:
  """Writes a TFRecord file."""
  path.parent.mkdir(parents=True, exist_ok=True)
  content = b"".join(map(framed, records))
  path.write_bytes(gzip.compress(content, mtime=0) if compressed else content)
  return path


def example(features: Mapping[str, list[bytes] | np.ndarray]) -> bytes:
  """A serialised `tf.train.Example`: texts, float32 or int64 numbers, uint8 as one-byte texts."""
  entries = (
    field(1, field(1, name.encode()) + field(2, _feature(values)))
    for name, values in features.items()
  )
  return field(1, b"".join(entries))


def field(number: int, content: bytes) -> bytes:
  """A field of a protocol buffer that holds a text or a message."""
  return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
  """An integer of a protocol buffer."""
  digits = bytearray()
  while value > 127:
    digits.append(value & 127 | 128)
    value >>= 7
  return bytes([*digits, value])


def _feature(values: list[bytes] | np.ndarray) -> bytes:
  if isinstance(values, list):
    return field(1, b"".join(field(1, value) for value in values))
  if values.dtype == np.uint8:
    texts = np.stack([np.full(values.size, 10, np.uint8), np.ones(values.size, np.uint8)], 1)
    return field(1, np.concatenate([texts, values.reshape(-1, 1)], 1).tobytes())
  if values.dtype == np.float32:
    return field(2, field(1, values.tobytes()))
  unsigned = values.astype(np.int64).view(np.uint64).ravel()
  return field(3, field(1, b"".join(varint(int(value)) for value in unsigned)))


def _masked(content: bytes) -> bytes:
  checksum = crc32c(content)
  rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
  return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)
