"""A PNG writer for small flat pictures, several times faster on them than a general one.

Standard library and numpy only: the processes that draw pictures import this module.
"""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2}  # grey, RGB


def encode_png(pixels: np.ndarray) -> bytes:
  """The PNG file of `pixels`, uint8 [H, W, 1] or [H, W, 3]."""
  height, width, channels = pixels.shape
  if pixels.dtype != np.uint8 or channels not in COLOUR_TYPES:
    raise ValueError(f"cannot write {pixels.dtype} {pixels.shape} as PNG")
  rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with filter 0, none
  rows[:, 1:] = pixels.reshape(height, -1)
  header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
  parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
  return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
  check = zlib.crc32(content, zlib.crc32(kind))
  return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
