"""Steps that cut pictures: fixed and random windows, mirroring; boxes and flow follow.

Random steps draw once for an example: all frames of a clip, and all fields, share the window.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from objectcentric_jax.input import fields, resizing
from objectcentric_jax.input.step import Arrays, Rng, Step


def cut(arrays: Arrays, top: int, left: int, height: int, width: int) -> Arrays:
  """The window of every picture; boxes become shares of it, zero where they are outside."""
  old_height, old_width = fields.picture_size(arrays)
  if top < 0 or left < 0 or top + height > old_height or left + width > old_width:
    raise ValueError(
      f"a window of {height}x{width} at row {top}, column {left} is not inside "
      f"pictures of {old_height}x{old_width}"
    )
  window = (..., slice(top, top + height), slice(left, left + width), slice(None))
  result = {n: a[window] if n in fields.PICTURES else a for n, a in arrays.items()}
  if fields.BOXES in arrays:
    size = np.array([old_height, old_width] * 2, np.float32)
    inside = arrays[fields.BOXES] * size - np.array([top, left] * 2, np.float32)
    inside = np.clip(inside / np.array([height, width] * 2, np.float32), 0, 1)
    seen = (inside[..., 2:] > inside[..., :2]).all(-1, keepdims=True)
    result[fields.BOXES] = np.where(seen, inside, 0).astype(np.float32)
  return result


def mirror(arrays: Arrays) -> Arrays:
  """Left and right exchanged in every picture, box and flow."""
  result = {n: a[..., ::-1, :] if n in fields.PICTURES else a for n, a in arrays.items()}
  for name in fields.FLOWS:
    if name in arrays:
      result[name] = result[name] * np.array([1, -1], np.float32)
  if fields.BOXES in arrays:
    top, left, bottom, right = np.moveaxis(arrays[fields.BOXES], -1, 0)
    empty = (bottom <= top) | (right <= left)
    boxes = np.stack([top, 1 - right, bottom, 1 - left], -1)
    result[fields.BOXES] = np.where(empty[..., None], 0, boxes).astype(np.float32)
  return result


@dataclasses.dataclass(frozen=True)
class CentreCrop(Step):
  """`centre_crop`: a window in the middle, beginning at row (H - height) // 2."""

  height: int
  width: int
  window = True

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    height, width = fields.picture_size(arrays)
    top, left = (height - self.height) // 2, (width - self.width) // 2
    return cut(arrays, top, left, self.height, self.width)


@dataclasses.dataclass(frozen=True)
class Crop(Step):
  """`crop`: a window at a given place."""

  top: int
  left: int
  height: int
  width: int
  window = True

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    return cut(arrays, self.top, self.left, self.height, self.width)


@dataclasses.dataclass(frozen=True)
class CropEach(Step):
  """`crop_each`: windows at several corners (top, left); each makes an example of its own.

  The examples of the first corner come first, then those of the second, and so on.
  """

  corners: tuple[tuple[int, int], ...]
  height: int
  width: int
  window = True

  def __post_init__(self):
    pairs = [corner for corner in self.corners if isinstance(corner, Sequence) and len(corner) == 2]
    if not pairs or len(pairs) < len(self.corners):
      raise ValueError(f"corners is {self.corners!r}: a tuple of (top, left) is needed")

  def variants(self) -> tuple[Step, ...]:
    return tuple(Crop(top, left, self.height, self.width) for top, left in self.corners)


@dataclasses.dataclass(frozen=True)
class SquareCrop(Step):
  """`square_crop`: a square as large as the short side, at a random place along the long one.

  All offsets from 0 to long - short are equally likely. Evaluation takes the `centre`, or the
  `start` of the long side.
  """

  evaluation: str = "centre"
  random = True
  window = True

  def __post_init__(self):
    if self.evaluation not in ("centre", "start"):
      raise ValueError(f"evaluation is {self.evaluation!r}; choose centre or start")

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    height, width = fields.picture_size(arrays)
    side, room = min(height, width), abs(height - width)
    if rng is not None:
      offset = int(rng.integers(room + 1))
    else:
      offset = room // 2 if self.evaluation == "centre" else 0
    top, left = (offset, 0) if height > width else (0, offset)
    return cut(arrays, top, left, side, side)


@dataclasses.dataclass(frozen=True)
class ScaleCropFlip(Step):
  """`scale_crop_flip`: a random window of random size, resized by `bilinear`, perhaps mirrored.

  The window's scale s is uniform between min and 1, with min = max(side / H, side / W) / margin.
  Where the picture is wider than high, the window has int(H * s) rows and the aspect of the target;
  otherwise int(W * s) columns. Evaluation takes the whole picture. Ids take the nearest pixel.
  """

  side: int = 0
  margin: float = 1.15
  flip: float = 0.5  # how likely it is mirrored
  random = True

  def __post_init__(self):
    if self.margin < 1 or not 0 <= self.flip <= 1:
      raise ValueError("margin is at least 1 and flip between 0 and 1")

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    if rng is not None:
      arrays = self._window(arrays, rng)
      if rng.random() < self.flip:
        arrays = mirror(arrays)
    return resized(arrays, self.side, self.side, "bilinear", "nearest")

  def _window(self, arrays: Arrays, rng: Rng) -> Arrays:
    height, width = fields.picture_size(arrays)
    least = min(1.0, max(self.side / height, self.side / width) / self.margin)
    side = max(1, int(min(height, width) * rng.uniform(least, 1.0)))
    # The upper bound of the published offsets is exclusive.
    top, left = (int(rng.integers(max(1, size - side))) for size in (height, width))
    return cut(arrays, top, left, side, side)


@dataclasses.dataclass(frozen=True)
class Resize(Step):
  """`resize`: to `side` (both sides), `short_side` (aspect kept) or `height` and `width`.

  Without any of them to `config.data.side`. `method` is one of `resizing.METHODS`, `ids` (nearest
  or pillow_nearest) that of segmentations. Flow is scaled along.
  """

  side: int = 0
  short_side: int = 0
  height: int = 0
  width: int = 0
  method: str = "nearest"
  ids: str = "nearest"

  def __post_init__(self):
    if self.method not in resizing.METHODS:
      raise ValueError(f"method is {self.method!r}; choose one of {', '.join(resizing.METHODS)}")
    if self.ids not in ("nearest", "pillow_nearest"):
      raise ValueError(f"ids is {self.ids!r}; choose nearest or pillow_nearest")
    ways = [self.side > 0, self.short_side > 0, self.height > 0 or self.width > 0]
    if sum(ways) > 1 or (ways[2] and not (self.height > 0 and self.width > 0)):
      raise ValueError("give side, short_side, or height and width")

  def with_side(self, side: int) -> Step:
    return self if self.short_side or self.height else super().with_side(side)

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    height, width = self.height or self.side, self.width or self.side
    if self.short_side:
      sizes = fields.picture_size(arrays)
      height, width = (self.short_side * size // min(sizes) for size in sizes)
    return resized(arrays, height, width, self.method, self.ids)


def resized(arrays: Arrays, height: int, width: int, method: str, ids: str) -> Arrays:
  """All pictures of an example resized, ids by a method of their own."""
  old = fields.picture_size(arrays)
  result = dict(arrays)
  for name in fields.PICTURES:
    if name in arrays:
      way = ids if name in fields.IDS else method
      result[name] = resizing.resize(arrays[name], height, width, way)
    if name in fields.FLOWS and name in arrays and old != (height, width):
      result[name] = result[name] * np.array([height / old[0], width / old[1]], np.float32)
  return result
