"""The review's sets as HDF5 files: a group for every split, an array for every kind of picture.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from data.raw.damage import Damaged
from data.raw.hdf5 import opened
from data.review.scenes import SPLITS, Example, Size, example, key_of

_BATCH_BYTES = 1 << 27  # of the arrays of a batch
_LEAST_BATCH = 16  # scenes


class Batch(NamedTuple):
  """Scenes `start` to `stop` of a split."""

  path: Path
  split: str
  start: int
  stop: int
  size: Size


def sizes(path: Path) -> dict[str, Size]:
  """What the splits hold that are there and not empty.

  Raises:
    Damaged: as `opened`, or arrays that do not belong together.
  """
  with opened(path) as file:
    found = {split: _size(path, file, name) for split, name in SPLITS.items() if name in file}
  return {split: size for split, size in found.items() if size.count}


def batches(path: Path, split: str, size: Size) -> Iterator[Batch]:
  """The scenes of a split, so many together that what is compressed together is read once."""
  with opened(path) as file:
    arrays = [file[SPLITS[split]][name] for name in ("image", "segment", "masks")]
    together = max(array.chunks[0] if array.chunks else 1 for array in arrays)
  bytes_each = size.height * size.width * (size.objects + 5)
  step = max(_LEAST_BATCH, min(together, _BATCH_BYTES // bytes_each))
  for start in range(0, size.count, step):
    yield Batch(path, split, start, min(size.count, start + step), size)


def read_batch(batch: Batch) -> list[Example]:
  """Scenes as they are stored.

  Raises:
    Damaged: the file cannot be read there, or has ids that cannot be.
  """
  path, split, start, stop, size = batch
  with opened(path) as file:
    group = file[SPLITS[split]]
    images, segments, masks = (group[name][start:stop] for name in ("image", "segment", "masks"))
  examples = []
  for number, (image, segment, shapes) in enumerate(zip(images, segments, masks, strict=True)):
    scene = example(key_of(split, start + number), image, segment, size, path)
    shapes = shapes[: size.objects]  # the last is the background
    scene["num_objects"] = int(shapes.any((1, 2, 3)).sum())
    examples.append({**scene, "amodal_masks": shapes})
  return examples


def _size(path: Path, file: Any, name: str) -> Size:
  group, shapes = file[name], {}
  for kind in ("image", "segment", "masks"):
    array = group.get(kind) if hasattr(group, "get") else None
    if getattr(array, "dtype", None) != "uint8":
      raise Damaged(path, f"is not of this format: {name}/{kind} is no array of 8-bit numbers")
    shapes[kind] = array.shape
  segment, masks = shapes["segment"], shapes["masks"]
  right = len(segment) == 3 and len(masks) == 5 and masks[1] > 1
  right = right and shapes["image"] == (*segment, 3)
  if not right or masks != (segment[0], masks[1], *segment[1:], 1):
    raise Damaged(path, f"is not of this format: {name} has arrays of the shapes {shapes}")
  return Size(*segment, objects=masks[1] - 1)
