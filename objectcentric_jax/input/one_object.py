"""Steps that take one object of a picture, and numbers of depth to a range."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.input import fields
from objectcentric_jax.input.crops import cut, mirror, resized
from objectcentric_jax.input.step import Arrays, Rng, Step
from objectcentric_jax.input.values import segmentation


@dataclasses.dataclass(frozen=True)
class OneObject(Step):
  """`one_object`: `segmentation` becomes `mask` uint8 0 or 255 [H, W, 1], of one object of a still.

  In training any of those with at least `pixels` visible pixels, all equally likely; in evaluation
  the one that shows most. Pictures without any have an empty mask.
  """

  pixels: int = 64
  random = True
  batched = False

  def __post_init__(self):
    if self.pixels < 1:
      raise ValueError(f"pixels is {self.pixels}: at least 1 is needed")

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    ids = segmentation(arrays)
    if ids.ndim != 3:
      raise ValueError("it takes stills: let `stills` or `view` be the first step")
    known, areas = np.unique(ids[ids > 0], return_counts=True)
    shown = known[areas >= self.pixels]
    chosen = 0
    if len(shown):
      largest = known[areas.argmax()]
      chosen = largest if rng is None else shown[rng.integers(len(shown))]
    mask = np.where((ids == chosen) & (ids > 0), np.uint8(255), np.uint8(0))
    return _with_mask(arrays, mask)

  def adapted(self, about):
    return self, _without_labels(about)


@dataclasses.dataclass(frozen=True)
class ForegroundMask(Step):
  """`foreground_mask`: `segmentation` becomes `mask` uint8 0 or 255, of whatever is no background.

  Shapes are [..., H, W, 1] both.
  """

  background: tuple[int, ...] = (0,)

  def adapted(self, about):
    ids = tuple(about.get("background_ids", (0,)))
    return dataclasses.replace(self, background=ids), _without_labels(about)

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    is_background = np.isin(segmentation(arrays), self.background)
    return _with_mask(arrays, np.where(is_background, np.uint8(0), np.uint8(255)))


def _with_mask(arrays: Arrays, mask: np.ndarray) -> Arrays:
  return {n: a for n, a in arrays.items() if n != "segmentation"} | {"mask": mask}


def _without_labels(about: Mapping[str, Any]) -> Mapping[str, Any]:
  return {n: v for n, v in about.items() if n not in ("labels", "background_ids")}


@dataclasses.dataclass(frozen=True)
class ObjectCrop(Step):
  """`object_crop`: a random square window around the object of `mask`, resized, perhaps mirrored.

  The window's side is a share of the shorter side that is uniform between s and 1, with s the
  largest of max(side / margin, box + border) / size over both axes; it holds the object's box,
  widened by `border` pixels, where that can be. Evaluation takes the whole picture. Numbers and
  colours are interpolated, ids take the nearest pixel.
  """

  side: int = 0
  margin: float = 1.15
  border: int = 16
  flip: float = 0.5  # how likely it is mirrored
  random = True
  batched = False

  def __post_init__(self):
    if self.margin < 1 or self.border < 0 or not 0 <= self.flip <= 1:
      raise ValueError("margin is at least 1, border at least 0 and flip between 0 and 1")

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    if "mask" not in arrays:
      raise ValueError("it needs the field mask: let `one_object` be before it")
    if rng is not None:
      arrays = self._window(arrays, rng)
      if rng.random() < self.flip:
        arrays = mirror(arrays)
    return resized(arrays, self.side, self.side, "bilinear", "nearest")

  def _window(self, arrays: Arrays, rng: Rng) -> Arrays:
    sizes = fields.picture_size(arrays)
    spans = [_span(arrays["mask"].any(axis)[..., 0]) for axis in (1, 0)]
    shares = [
      max(self.side / self.margin, min(stop - start + self.border, size)) / size
      for (start, stop), size in zip(spans, sizes, strict=True)
    ]
    side = max(1, int(min(sizes) * rng.uniform(min(max(shares), 1.0), 1.0)))
    top, left = (_offset(span, size, side, rng) for span, size in zip(spans, sizes, strict=True))
    return cut(arrays, top, left, side, side)


def _span(seen: np.ndarray) -> tuple[int, int]:
  """First place that is seen and the one after the last; all of them where none is."""
  places = np.flatnonzero(seen)
  return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)


def _offset(span: tuple[int, int], size: int, side: int, rng: Rng) -> int:
  """A random place for a window of `side` that holds the span, or as much of it as it can."""
  start, stop = span
  first, last = max(0, min(stop - side, start)), min(size - side, max(start, stop - side))
  if start == stop:
    first, last = 0, size - side
  first = min(first, size - side)
  return int(rng.integers(first, max(first, last) + 1))


@dataclasses.dataclass(frozen=True)
class ScaleDepth(Step):
  """`scale_depth`: depth from `near` to `far` becomes 0 to 1; what is beyond them is 0 or 1."""

  near: float
  far: float

  def __post_init__(self):
    if self.far <= self.near:
      raise ValueError(f"far is {self.far}: more than near, {self.near}, is needed")

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    if "depth" not in arrays:
      raise ValueError("it needs the field depth, which is not read")
    scaled = (arrays["depth"].astype(np.float32) - self.near) / (self.far - self.near)
    return {**arrays, "depth": np.clip(scaled, 0, 1).astype(np.float32)}
