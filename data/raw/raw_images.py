"""Downloaded pictures: checked on the way in, decoded where a builder needs their pixels.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import io
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from data.raw.damage import Damaged

STORED = ("PNG", "JPEG")  # formats that records hold as they are
READABLE = (*STORED, "BMP", "GIF", "PPM", "TIFF", "WEBP")
_COLOURS = ("L", "LA", "RGB", "RGBA")  # Pillow's modes of 8-bit channels
_WIDE = ("I;16", "I;16B", "I;16L")  # 16-bit grey


def read_image(path: str | os.PathLike, formats: Sequence[str] = STORED) -> bytes:
  """The bytes of a picture file, once all of it has been decoded.

  Args:
    path: the file.
    formats: Pillow's names of the formats that are accepted, whatever the file is called.

  Raises:
    Damaged: the file is missing, empty, cut short or in none of the formats.
  """
  content = read_bytes(path)
  with _opened(content, path, formats):
    return content


def read_bytes(path: str | os.PathLike) -> bytes:
  """The content of a raw file; Damaged where it is missing or empty."""
  try:
    content = pathlib.Path(path).read_bytes()
  except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
    raise Damaged(path, "does not exist") from None
  if not content:
    raise Damaged(path, "is empty")
  return content


def decode(
  content: bytes, path: str | os.PathLike, formats: Sequence[str] = READABLE
) -> np.ndarray:
  """The pixels of a picture file, [H, W, C].

  Grey has 1 channel, colours 3, with transparency 2 and 4; a palette is looked up. uint8, or uint16
  where a grey picture has 16 bits.

  Args:
    content: the file.
    path: where it is from, for messages.
    formats: as in `read_image`.

  Raises:
    Damaged: it cannot be decoded, or its pixels are neither of these.
  """
  with _opened(content, path, formats) as image:
    if image.mode == "P":
      image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode in ("1", "CMYK", "YCbCr"):
      image = image.convert("L" if image.mode == "1" else "RGB")
    if image.mode not in (*_COLOURS, *_WIDE):
      raise Damaged(path, f"has pixels of Pillow's mode {image.mode}, not 8-bit colours or grey")
    return _pixels(image)


def decode_rgb(
  content: bytes, path: str | os.PathLike, formats: Sequence[str] = READABLE
) -> np.ndarray:
  """The colours of a picture file, uint8 [H, W, 3]: grey repeated, transparency dropped.

  Raises:
    Damaged: as `decode`, and where it has 16 bits.
  """
  pixels = decode(content, path, formats)
  if pixels.dtype != np.uint8:
    raise Damaged(path, "has 16-bit grey values, not 8-bit colours")
  if pixels.shape[2] < 3:
    return np.repeat(pixels[..., :1], 3, axis=2)
  return pixels[..., :3]


def decode_mask(
  content: bytes, path: str | os.PathLike, formats: Sequence[str] = ("PNG",)
) -> np.ndarray:
  """The ids in a mask file, uint8 or uint16 [H, W, 1]: grey values, or places in its palette.

  Black and white pictures of one bit have the ids 0 and 1. JPEG is no mask: it blurs ids.

  Raises:
    Damaged: it cannot be decoded, or holds colours instead of ids.
  """
  with _opened(content, path, formats) as image:
    if image.mode not in ("P", "L", "1", *_WIDE):
      raise Damaged(path, f"is a mask in colours (mode {image.mode}), not ids in grey or a palette")
    return _pixels(image)


def image_size(content: bytes, path: str | os.PathLike) -> tuple[int, int]:
  """Height and width that a picture file declares, without decoding it."""
  try:
    with Image.open(io.BytesIO(content), formats=READABLE) as image:
      return image.height, image.width
  except Exception as error:
    raise Damaged(path, f"cannot be read as a picture ({_reason(error)})") from None


def check_size(
  content: bytes, path: str | os.PathLike, size: tuple[int, int], like: str | os.PathLike
) -> None:
  """Damaged where a picture has not the height and width of the one it belongs to, `like`."""
  found = image_size(content, path)
  if found != size:
    raise Damaged(path, f"has {found[0]}x{found[1]} pixels, but {like} has {size[0]}x{size[1]}")


def _opened(content: bytes, path, formats: Sequence[str]) -> Image.Image:
  """The picture with all of its pixels decoded."""
  try:
    image = Image.open(io.BytesIO(content), formats=formats)
    image.load()
  except Exception as error:  # whatever the decoders of Pillow meet in a damaged file
    kinds = " or ".join(formats)
    raise Damaged(path, f"cannot be read as {kinds} ({_reason(error)})") from None
  return image


def _reason(error: Exception) -> str:
  if isinstance(error, Image.UnidentifiedImageError):
    return "it is another kind of file"
  return str(error) or type(error).__name__


def _pixels(image: Image.Image) -> np.ndarray:
  pixels = np.array(image)
  if pixels.dtype != np.uint8:
    pixels = pixels.astype(np.uint8 if pixels.dtype == bool else np.uint16)
  return pixels.reshape(image.height, image.width, -1)
