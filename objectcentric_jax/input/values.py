"""Steps that change what pixels say: channels, their order, and the ids of a segmentation."""

import dataclasses

import numpy as np

from objectcentric_jax.input import fields
from objectcentric_jax.input.step import Arrays, Rng, Step


def segmentation(arrays: Arrays) -> np.ndarray:
  """The ids of an example; ValueError where `config.data.fields` does not ask for them."""
  if "segmentation" not in arrays:
    raise ValueError("it needs the field segmentation, which is not read")
  return arrays["segmentation"]


@dataclasses.dataclass(frozen=True)
class GreyToRgb(Step):
  """`grey_to_rgb`: the one channel of grey pictures three times; colours stay."""

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    return {
      name: np.repeat(array, 3, -1) if name in fields.COLOURS and array.shape[-1] == 1 else array
      for name, array in arrays.items()
    }


@dataclasses.dataclass(frozen=True)
class ChannelOrder(Step):
  """`channel_order`: "rgb" or "bgr", whichever way the set is stored.

  Some published models were trained on pictures with red and blue exchanged.
  """

  order: str

  def __post_init__(self):
    if self.order not in ("rgb", "bgr"):
      raise ValueError(f"order is {self.order!r}; choose rgb or bgr")

  def adapted(self, about):
    same = (self.order == "bgr") == bool(about.get("bgr", False))
    return (_Unchanged() if same else _Reversed()), about | {"bgr": self.order == "bgr"}


@dataclasses.dataclass(frozen=True)
class _Unchanged(Step):
  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    return arrays


@dataclasses.dataclass(frozen=True)
class _Reversed(Step):
  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    return {n: a[..., ::-1] if n in fields.COLOURS else a for n, a in arrays.items()}


@dataclasses.dataclass(frozen=True)
class MergeBackground(Step):
  """`merge_background`: all background ids of the set (walls, floor) become 0."""

  def adapted(self, about):
    if "background_ids" not in about:
      raise ValueError("the set has no segmentation")
    return _ToBackground(tuple(about["background_ids"])), about | {"background_ids": [0]}


@dataclasses.dataclass(frozen=True)
class _ToBackground(Step):
  ids: tuple[int, ...]

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    ids = segmentation(arrays)
    merged = np.where(np.isin(ids, self.ids), 0, ids).astype(ids.dtype)
    return {**arrays, "segmentation": merged}


@dataclasses.dataclass(frozen=True)
class Relabel(Step):
  """`relabel`: the ids that an example shows become 1 to at most `objects`, in their order.

  For sets whose ids run over a long film, of which a clip shows a few. 0 stays.
  """

  objects: int
  batched = False

  def __post_init__(self):
    if not 1 <= self.objects <= 255:
      raise ValueError(f"objects is {self.objects}: 1 to 255 are possible")

  def adapted(self, about):
    return self, about | {"labels": self.objects + 1, "max_objects": self.objects}

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    ids = segmentation(arrays)
    shown = np.unique(ids[ids > 0])
    if len(shown) > self.objects:
      raise ValueError(f"an example shows {len(shown)} objects, relabel has objects={self.objects}")
    known = np.concatenate([np.zeros(1, ids.dtype), shown])
    return {**arrays, "segmentation": np.searchsorted(known, ids).astype(np.uint8)}


@dataclasses.dataclass(frozen=True)
class ObjectMasks(Step):
  """`object_masks`: adds `masks` uint8 0 or 255 [..., objects, H, W, 1], the pixels of each id.

  Unlike ids they can be interpolated: a `resize` behind this gives soft edges.
  """

  objects: int

  def __post_init__(self):
    if self.objects < 1:
      raise ValueError(f"objects is {self.objects}: at least 1 is needed")

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    ids = np.expand_dims(segmentation(arrays), -4)
    numbers = np.arange(1, self.objects + 1).reshape(-1, 1, 1, 1)
    return {**arrays, "masks": np.where(ids == numbers, np.uint8(255), np.uint8(0))}


@dataclasses.dataclass(frozen=True)
class ObjectBoxes(Step):
  """`object_boxes`: adds what is true of the ids 1 to `objects`, for sets that store ids alone.

  `bboxes` [..., objects, 4] around the visible pixels of each, `visibility` [..., objects], how
  many those are, and `num_objects`, how many ids an example shows. Steps that change pictures come
  before, and `relabel` where ids have gaps.
  """

  objects: int
  batched = False

  def __post_init__(self):
    if self.objects < 1:
      raise ValueError(f"objects is {self.objects}: at least 1 is needed")

  def adapted(self, about):
    if "labels" not in about:
      raise ValueError("the set has no segmentation, or config.data.fields does not ask for it")
    return self, about

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    ids = segmentation(arrays)
    *leading, height, width, _ = ids.shape
    pictures = ids.reshape(-1, height, width)
    picture, row, column = np.nonzero(pictures)
    shown = pictures[picture, row, column].astype(int)
    if shown.size and shown.max() > self.objects:
      raise ValueError(
        f"an example shows id {shown.max()}, object_boxes has objects={self.objects}"
      )
    count = len(pictures) * self.objects
    place = picture * self.objects + shown - 1
    pixels = np.bincount(place, minlength=count)
    low, high = np.full((2, count), max(height, width)), np.zeros((2, count), int)
    for axis, coordinate in enumerate((row, column)):
      np.minimum.at(low[axis], place, coordinate)
      np.maximum.at(high[axis], place, coordinate + 1)
    boxes = np.concatenate([low, high]).T / np.array([height, width] * 2)
    boxes = np.where(pixels[:, None] > 0, boxes, 0).astype(np.float32)
    visible = np.minimum(pixels, np.iinfo(np.uint16).max).astype(np.uint16)
    return {
      **arrays,
      "bboxes": boxes.reshape(*leading, self.objects, 4),
      "visibility": visible.reshape(*leading, self.objects),
      "num_objects": np.int32(len(np.unique(shown))),
    }
