"""What is stored of a scene of the review's sets.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.building.png import encode_png
from data.raw import rgb_files
from data.raw.damage import Damaged

# By our names of the splits.
SPLITS = {"train": "train", "validation": "valid", "test": "test", "generalization": "general"}


Example = dict[str, Any]


class Size(NamedTuple):
  """What all scenes of a split are like."""

  count: int
  height: int
  width: int
  objects: int  # K: the most of a scene, and the published id of the background


def example(key: str, image: np.ndarray, segment: np.ndarray, size: Size, path: Path) -> Example:
  """A scene as it is stored, but for the shapes of hidden parts.

  Args:
    key: stable and unique in its split.
    image: uint8 [H, W, 3].
    segment: uint8 [H, W]: places of the objects from the front, K where there is background.
    size: of the split.
    path: the file, for messages.

  Raises:
    Damaged: ids that cannot be.
  """
  if segment.max(initial=0) > size.objects:
    raise Damaged(path, f"has the id {segment.max()} in {key}, but {size.objects} is background")
  ids = np.where(segment == size.objects, 0, segment + 1).astype(np.uint8)
  return {
    "image": rgb_files.png(np.ascontiguousarray(image)),
    "segmentation": encode_png(ids[..., None]),
    "num_objects": len(np.setdiff1d(ids, [0])),
    "metadata": {"key": key},
  }


def key_of(split: str, index: int) -> str:
  """The key of a scene, from its place in the published split."""
  return f"{split}-{index:06d}"
