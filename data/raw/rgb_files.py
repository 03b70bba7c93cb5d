"""Picture files as records hold them: 8-bit RGB that any decoder shows alike.

Decoders differ in what they do with palettes, transparency, 16 bits and the orientation that
cameras note beside the pixels, so a file with any of these is written anew, without loss.
No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import io
import os

import numpy as np
from PIL import Image

from data.raw.damage import Damaged
from data.raw.raw_images import decode

ORIENTATION = 0x0112  # the EXIF tag
# How to turn the pixels by its value: exchange rows and columns first, then flip which axes.
TURNS = {
  1: (False, ()),
  2: (False, (1,)),
  3: (False, (0, 1)),
  4: (False, (0,)),
  5: (True, ()),
  6: (True, (1,)),
  7: (True, (0, 1)),
  8: (True, (0,)),
}


def upright(content: bytes, path: str | os.PathLike) -> np.ndarray:
  """The picture as one sees it, uint8 [H, W, 3]: turned upright, grey repeated, put on white.

  Args:
    content: the file.
    path: where it is from, for messages.

  Raises:
    Damaged: it cannot be decoded, or has 16 bits.
  """
  pixels = decode(content, path)
  if pixels.dtype != np.uint8:
    raise Damaged(path, "has 16-bit grey values, not 8-bit colours")
  exchange, flips = TURNS.get(_orientation(content), TURNS[1])
  pixels = np.flip(np.swapaxes(pixels, 0, 1) if exchange else pixels, flips)
  return np.ascontiguousarray(on_white(pixels))


def on_white(pixels: np.ndarray) -> np.ndarray:
  """Grey or colours, with or without transparency, uint8 [H, W, 1 to 4], as [H, W, 3]."""
  channels = pixels.shape[2]
  colours = pixels[..., :1].repeat(3, axis=2) if channels < 3 else pixels[..., :3]
  if channels % 2:
    return colours
  opaque = pixels[..., -1:].astype(np.uint16)
  return ((colours * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def stored(content: bytes, path: str | os.PathLike) -> tuple[bytes, tuple[int, int]]:
  """A file that records can hold, and its height and width: the same bytes wherever that will do.

  Raises:
    Damaged: as `upright`.
  """
  pixels = upright(content, path)
  return (content if _is_plain(content) else png(pixels)), pixels.shape[:2]


def png(pixels: np.ndarray) -> bytes:
  """The PNG file of uint8 [H, W, 3], with the filters that suit photographs."""
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "PNG")
  return file.getvalue()


def resize(pixels: np.ndarray, size: tuple[int, int], filter: Image.Resampling) -> np.ndarray:
  """Pillow's resize of uint8 [H, W, 3] or [H, W, 1] to `size`, height and width."""
  if pixels.shape[:2] == size:
    return pixels
  channels = pixels.shape[2]
  image = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
  return np.asarray(image.resize(size[::-1], filter)).reshape(*size, channels)


def _orientation(content: bytes) -> int:
  with Image.open(io.BytesIO(content)) as image:
    try:
      return image.getexif().get(ORIENTATION, 1)
    except Exception:  # notes of a camera that cannot be read, beside pixels that can
      return 1


def _is_plain(content: bytes) -> bool:
  """Whether a decoded file is JPEG in colours, or PNG of 8-bit colours, that lies upright."""
  with Image.open(io.BytesIO(content)) as image:
    if image.mode != "RGB" or "transparency" in image.info or _orientation(content) != 1:
      return False
    if image.format == "PNG":
      return content[24] == 8  # bits of a channel; Pillow reads 16 of them as RGB too
    return image.format == "JPEG"
