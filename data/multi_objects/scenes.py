"""One record of the Multi-Object Datasets, and what is stored of it.

No jax and no tensorflow_datasets.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.building.png import encode_png
from data.multi_objects.layouts import FLAT, Layout
from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.tfrecord import Values, parse_example

COVERED = 255  # of a mask, where its entity is seen; 0 elsewhere


class Record(NamedTuple):
  """A record and where it is from."""

  key: str
  content: bytes
  path: Path
  layout: Layout


def read_scene(record: Record) -> list[dict[str, Any]]:
  """A scene as it is stored.

  Raises:
    Damaged: the record is not one of this file.
  """
  path, layout = record.path, record.layout
  codes = {name for name, (_, is_code) in layout.factors.items() if is_code}
  features = parse_example(record.content, path, {"image", "mask", *codes})
  image = _array(features, "image", (layout.height, layout.width, layout.channels), path)
  entities = (layout.entities, layout.height, layout.width)
  if layout.masks_last:
    masks = np.moveaxis(_array(features, "mask", (*entities[1:], entities[0]), path), 2, 0)
  else:
    masks = _array(features, "mask", entities, path)
  if not ((masks == 0) | (masks == COVERED)).all():
    raise Damaged(path, f"has mask values that are not 0 and {COVERED} in the scene {record.key}")
  factors = {
    name: _array(features, name, (layout.entities, *([width] if width > 1 else [])), path)
    for name, (width, _) in layout.factors.items()
  }
  example = {
    "image": encode_png(image) if layout.kind == FLAT else rgb_files.png(image),
    "segmentation": encode_png(segmentation(masks)),
    "num_objects": _object_count(masks, factors, layout.backgrounds),
    "metadata": {"key": record.key},
  }
  return [{**example, "factors": factors} if factors else example]


def segmentation(masks: np.ndarray) -> np.ndarray:
  """The entity that is seen in every pixel.

  Args:
    masks: uint8 0 or 255 [E, H, W]. Where several cover a pixel the last counts, where none does
      the first.

  Returns:
    uint8 [H, W, 1]: places of the entities, 0 the first.
  """
  ids = np.zeros((*masks.shape[1:], 1), np.uint8)
  for entity in range(1, len(masks)):
    ids[masks[entity] == COVERED] = entity
  return ids


def _object_count(masks: np.ndarray, factors: dict[str, np.ndarray], backgrounds: int) -> int:
  """Objects of the scene, hidden ones too where the file says which there are."""
  there = factors["visibility"] if "visibility" in factors else masks.any((1, 2))
  return int(np.count_nonzero(there[backgrounds:]))


def _array(
  features: dict[str, Values], name: str, shape: tuple[int, ...], path: Path
) -> np.ndarray:
  values = features.get(name)
  if not isinstance(values, np.ndarray) or values.size != np.prod(shape):
    found = "is missing" if values is None else f"has {len(values)} values"
    raise Damaged(path, f"is another file: {name} {found} where {shape} are expected")
  return np.ascontiguousarray(values).reshape(shape)
