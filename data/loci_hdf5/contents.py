"""What is in one of the HDF5 files, and whether its arrays belong together.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.raw.damage import Damaged
from data.raw.hdf5 import opened
from objectcentric_jax.errors import InputError

RGB, DEPTH, FOREGROUND, MASKS = "rgb_images", "depth_images", "foreground_mask", "instance_masks"
SEQUENCES, INSTANCES = "sequence_indices", "image_instance_indices"
MOST_OBJECTS = 255  # that 8-bit ids can tell apart


class Contents(NamedTuple):
  """What a file holds.

  Attributes:
    path: of the file.
    objects: most masks of a frame; 0 without masks of objects.
    depth, foreground: whether every frame has them.
  """

  path: Path
  objects: int
  depth: bool
  foreground: bool

  @property
  def has_masks(self) -> bool:
    """Whether there are masks of any kind."""
    return self.objects > 0 or self.foreground


def inspect(path: Path) -> tuple[Contents, list[tuple[int, int]]]:
  """Reads the small arrays of a file and compares the lengths and shapes of the others.

  Returns:
    what the file holds, and first frame and number of frames of every sequence.

  Raises:
    Damaged: it cannot be read, or its arrays do not belong together.
    InputError: h5py is not installed.
  """
  with opened(path) as file:
    for name in (RGB, DEPTH, FOREGROUND, MASKS, SEQUENCES, INSTANCES):
      if name in file and not getattr(file[name], "shape", None):
        raise Damaged(path, f"is not of this format: {name} is no array")
    if RGB not in file:
      raise Damaged(path, f"is not of this format: it has no {RGB}")
    frames = len(file[RGB])
    sequences = file[SEQUENCES][:] if SEQUENCES in file else np.array([[0, frames]])
    _check_ranges(path, SEQUENCES, sequences, frames, RGB)
    if not len(sequences) or not sequences[:, 1].all():
      raise Damaged(path, "holds no sequence, or one without frames")
    depth, foreground = (_is_filled(path, file, name, frames) for name in (DEPTH, FOREGROUND))
    objects = _most_objects(path, file, frames)
    kept = [name for name, there in ((FOREGROUND, foreground), (MASKS, objects)) if there]
    kinds = {(file[name].dtype, file[name].shape[1:]) for name in kept}
  if len(kinds) > 1 or any(d != np.uint8 or len(s) != 3 or s[0] != 1 for d, s in kinds):
    found = ", ".join(f"{dtype} {shape}" for dtype, shape in kinds)
    raise Damaged(path, f"is not of this format: its masks are {found}, not uint8 (1, H, W)")
  ranges = [(int(first), int(length)) for first, length in sequences]
  return Contents(path, objects, depth, foreground), ranges


def check_alike(every: Sequence[Contents]) -> None:
  """InputError unless the files of a set have the same kinds of arrays."""

  def kinds(contents):
    there = ((DEPTH, contents.depth), (FOREGROUND, contents.foreground), (MASKS, contents.objects))
    return {name for name, filled in there if filled}

  for contents in every:
    differ = sorted(kinds(contents) ^ kinds(every[0]))
    if differ:
      raise InputError(
        f"only one of {every[0].path.name} and {contents.path} has {differ[0]}: convert them "
        "separately, from folders of their own"
      )


def _is_filled(path: Path, file: Any, name: str, frames: int) -> bool:
  """Whether an array has a row a frame; where there is nothing to tell it has at most one."""
  count = len(file[name]) if name in file else 0
  if count == frames:
    return True
  if count > 1:
    raise Damaged(path, f"has {count} {name} for {frames} {RGB}")
  return False


def _most_objects(path: Path, file: Any, frames: int) -> int:
  masks = len(file[MASKS]) if MASKS in file else 0
  if not masks:
    return 0
  instances = file[INSTANCES][:]
  if len(instances) != frames:
    raise Damaged(path, f"has {len(instances)} {INSTANCES} for {frames} {RGB}")
  _check_ranges(path, INSTANCES, instances, masks, MASKS)
  most = int(instances[:, 1].max())
  if most > MOST_OBJECTS:
    raise Damaged(path, f"has {most} {MASKS} of a frame, more than {MOST_OBJECTS}")
  return most


def _check_ranges(path: Path, name: str, ranges: np.ndarray, stop: int, what: str) -> None:
  if ranges.ndim != 2 or ranges.shape[1] != 2 or ranges.dtype.kind not in "iu":
    raise Damaged(path, f"is not of this format: {name} is {ranges.dtype} {ranges.shape}")
  first, count = ranges.T.astype(np.int64)
  if ((first < 0) | (count < 0) | (first + count > stop)).any():
    raise Damaged(path, f"has {name} beyond its {stop} {what}")
