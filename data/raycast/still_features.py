"""The TFDS features of what `stills.py` stores, and metadata of such sets."""

from typing import Any

import numpy as np

from data.building import schema
from data.raycast.stills import SHAPES, StillOptions


def features(options: StillOptions, max_objects: int) -> dict[str, Any]:
  """The features of a picture with at most `max_objects` objects (K), without `metadata`."""
  side, count = options.size, max_objects
  made = {
    "image": schema.picture(side, side),
    "segmentation": schema.picture(side, side, 1),
    "num_objects": np.int32,
    "bboxes": schema.numbers((count, 4)),
    "visibility": schema.numbers((count,), np.uint16),
    "camera": {"position": schema.numbers((3,)), "axes": schema.numbers((3, 3))},
    "factors": factors(count),
  }
  if options.depth:
    made["depth"] = schema.array((side, side, 1))
  if options.amodal:
    made["amodal_masks"] = schema.array((count, side, side, 1), np.uint8)
  return made


def metadata(
  options: StillOptions, max_objects: int, background: int, field_of_view: float
) -> dict[str, Any]:
  """What the metadata of such a set say; its first `background` labels are not of objects."""
  known = {
    "labels": background + max_objects,
    "background_ids": list(range(background)),
    "max_objects": max_objects,
    "shapes": list(SHAPES),
    "field_of_view": float(field_of_view),
  }
  return known | ({"depth": "distance"} if options.depth else {})


def factors(count: int) -> dict[str, Any]:
  """Of `count` objects that do not move."""
  return {
    "shape": schema.numbers((count,), np.int32),
    "half_size": schema.numbers((count, 3)),
    "position": schema.numbers((count, 3)),
    "quaternion": schema.numbers((count, 4)),
    "colour": schema.numbers((count, 3), np.uint8),
  }
