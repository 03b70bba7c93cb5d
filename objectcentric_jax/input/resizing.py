"""Resizing as the published pipelines do it, each method by its own name.

  nearest           source pixel floor(i * in / out), as PyTorch's `interpolate` does by default
  pillow_nearest    source pixel floor((i + 0.5) * in / out)
  pillow_bilinear   antialiased: the support grows as the picture shrinks. Rounded to 8 bits
  pillow_bicubic    likewise, Pillow's own choice where none is named
  bilinear          between the four pixels around, without antialiasing, as PyTorch's
                    `interpolate(align_corners=False)`; pictures become float32 in [0, 1]

The methods of Pillow are those of the published code, equal to the bit because they are Pillow's.
Arrays are [..., H, W, C] throughout.
"""

import numpy as np
from PIL import Image

METHODS = ("nearest", "pillow_nearest", "pillow_bilinear", "pillow_bicubic", "bilinear")
_FILTERS = {
  "pillow_nearest": Image.Resampling.NEAREST,
  "pillow_bilinear": Image.Resampling.BILINEAR,
  "pillow_bicubic": Image.Resampling.BICUBIC,
}
_TOGETHER = (3, 4)  # uint8 channels that Pillow resizes as one picture


def resize(pictures: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
  """Pictures [..., H, W, C] as [..., height, width, C], by one of `METHODS`."""
  if method == "bilinear":
    return bilinear(pictures, height, width)
  if pictures.shape[-3:-1] == (height, width):
    return pictures
  if method == "nearest":
    return nearest(pictures, height, width)
  return pillow(pictures, height, width, _FILTERS[method])


def nearest(pictures: np.ndarray, height: int, width: int) -> np.ndarray:
  """Takes source pixel floor(i * in / out), of ids as well as of colours."""
  rows = _floors(pictures.shape[-3], height)
  columns = _floors(pictures.shape[-2], width)
  return pictures[..., rows[:, None], columns[None], :]


def _floors(size: int, target: int) -> np.ndarray:
  """floor(i * size / target) in float32, as published: a pixel earlier where that rounds down."""
  places = np.arange(target, dtype=np.float32) * (np.float32(size) / np.float32(target))
  return np.minimum(places.astype(int), size - 1)


def pillow(pictures: np.ndarray, height: int, width: int, filter_: Image.Resampling) -> np.ndarray:
  """Resizes uint8, uint16 (nearest only) or float32 pictures with Pillow, one by one."""
  *leading, old_height, old_width, channels = pictures.shape
  stacked = pictures.reshape(-1, old_height, old_width, channels)
  resized = np.empty((len(stacked), height, width, channels), pictures.dtype)
  together = pictures.dtype == np.uint8 and channels in _TOGETHER
  for source, target in zip(stacked, resized, strict=True):
    if together:
      target[:] = Image.fromarray(source).resize((width, height), filter_)
    else:
      for channel in range(channels):
        plane = np.ascontiguousarray(source[..., channel])
        target[..., channel] = Image.fromarray(plane).resize((width, height), filter_)
  return resized.reshape(*leading, height, width, channels)


def bilinear(pictures: np.ndarray, height: int, width: int) -> np.ndarray:
  """Interpolates between the four source pixels around; uint8 is turned to shares of 255."""
  if pictures.dtype == np.uint8:
    pictures = pictures.astype(np.float32) / np.float32(255)
  low, high, share = _neighbours(pictures.shape[-3], height)
  share = share[:, None, None]
  rows = pictures[..., low, :, :] * (1 - share) + pictures[..., high, :, :] * share
  low, high, share = _neighbours(pictures.shape[-2], width)
  return rows[..., low, :] * (1 - share[:, None]) + rows[..., high, :] * share[:, None]


def _neighbours(size: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """The source pixels before and behind each target pixel's centre, and the share of the latter."""
  scale = np.float32(size) / np.float32(target)
  place = np.maximum((np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale - 0.5, 0)
  low = np.minimum(place.astype(int), size - 1)
  return low, np.minimum(low + 1, size - 1), place - low.astype(np.float32)
