"""One frame of CO3D as it is stored.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data.building.object_views import View, check_size, example, read_grey, read_picture
from data.building.png import encode_png
from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.raw_images import decode, read_bytes

HALF = 128  # of a soft mask; from there on a pixel is the object's


class Frame(NamedTuple):
  """A view, and what its depths are multiplied by."""

  view: View
  scale: float | None = None
  depth: bool = False  # is stored


def read_frame(frame: Frame) -> dict[str, Any]:
  """A frame as it is stored.

  Raises:
    Damaged: a file is missing or cannot be decoded, or has not the size of the picture.
  """
  view = frame.view
  picture = read_picture(view.image, view.size)
  soft = read_grey(view.mask)
  check_size(soft, view.mask, picture.size, view.image)
  soft = rgb_files.resize(soft, picture.stored_size, Image.Resampling.BICUBIC)
  ids = (soft >= HALF).astype(np.uint8)
  stored = {**example(view, picture, ids, "bicubic"), "mask": encode_png(soft)}
  if frame.depth:
    stored["depth"] = _nearest(_read_depth(frame, picture.size), picture.stored_size)
  return stored


def _read_depth(frame: Frame, size: tuple[int, int]) -> np.ndarray:
  """Depths float32 [H, W, 1]; 0 where there is none.

  The 16 bits of a pixel are those of a float16 number, not an integer.
  """
  image = frame.view.image
  path = image.parent.parent / "depths" / f"{image.name}.geometric.png"
  stored = decode(read_bytes(path), path)
  if stored.dtype != np.uint16 or stored.shape[2] != 1:
    raise Damaged(path, f"has {stored.dtype} pixels, not the 16 bits of a depth")
  check_size(stored, path, size, image)
  if frame.scale is None:
    raise Damaged(image, "has no scale of its depth in frame_annotations.jgz")
  depth = stored.view(np.float16).astype(np.float32) * np.float32(frame.scale)
  return np.where(np.isfinite(depth), depth, np.float32(0))


def _nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """The values [h, w, C] nearest to the middles of `size` pixels."""
  rows, columns = (
    ((np.arange(new) + 0.5) * old / new).astype(int)
    for new, old in zip(size, array.shape[:2], strict=True)
  )
  return array[rows[:, None], columns]
