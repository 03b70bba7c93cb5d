"""The episodes of Sketchy: one file each, one record a time step.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.raw_images import decode_rgb
from data.raw.tfrecord import parse_example, read_record, record_offsets
from data.sketchy.names import Options
from objectcentric_jax.errors import InputError

FRAME = (600, 960)  # rows and columns of a camera's picture
SIDE, LONG_SIDE = 448, 672  # of what is used of it: the basket
CROP = 352  # side of the squares that are cut from that
# By the name of a view: its feature, and the first row of the basket.
VIEWS = {"fl": ("pixels/basket_front_left", 71), "fr": ("pixels/basket_front_right", 91)}
_LEFT = 144  # first column of the basket
_NAME = re.compile(r"[0-9]+_[0-9A-Za-z-]+")


class Step(NamedTuple):
  """One time step of an episode."""

  episode: int  # as GENESIS counts them
  time: int
  path: Path
  offset: int


def find(raw: Path) -> dict[str, list[Path]]:
  """The files of every split that has any: the first tenth for validation, the next for test.

  Raises:
    InputError: there is none.
  """
  folder = raw / "records" if (raw / "records").is_dir() else raw
  every = sorted(folder.iterdir(), key=lambda path: path.name) if folder.is_dir() else []
  paths = [path for path in every if path.is_file() and _NAME.fullmatch(path.name)]
  if not paths:
    raise InputError(f"--from {raw} holds no episodes, files named like 10000000_0a1b-2c3d")
  tenth = len(paths) // 10
  splits = {
    "train": paths[2 * tenth :],
    "validation": paths[:tenth],
    "test": paths[tenth : 2 * tenth],
  }
  return {split: found for split, found in splits.items() if found}


def steps(splits: dict[str, list[Path]]) -> dict[str, Iterator[Step]]:
  """The time steps of every split; episodes are counted through train, validation and test."""
  result, first = {}, 0
  for split, paths in splits.items():
    result[split] = _steps(enumerate(paths, start=first))
    first += len(paths)
  return result


def _steps(episodes: Iterable[tuple[int, Path]]) -> Iterator[Step]:
  for episode, path in episodes:
    for time, offset in enumerate(record_offsets(path)):
      yield Step(episode, time, path, offset)


def squares(crops: str) -> dict[str, tuple[int, int, int]]:
  """Row, column and side of the parts of a view that are stored, by name.

  Args:
    crops: "full" for the middle alone, "all" for six overlapping ones besides, c0 to c2 at the top
      from the left, c3 to c5 at the bottom.
  """
  found = {"full": (0, (LONG_SIDE - SIDE) // 2, SIDE)}
  if crops == "all":
    columns = (0, (LONG_SIDE - CROP) // 2, LONG_SIDE - CROP)
    corners = [(row, column) for row in (0, SIDE - CROP) for column in columns]
    found |= {f"c{number}": (*corner, CROP) for number, corner in enumerate(corners)}
  return found


def read_step(step: Step, options: Options) -> list[dict[str, Any]]:
  """The parts of both views, each an example.

  Raises:
    Damaged: the record or one of its pictures cannot be read, or is not of the size of FRAME.
  """
  features = parse_example(read_record(step.path, step.offset), step.path)
  examples = []
  for view, (feature, top) in VIEWS.items():
    basket = _picture(features.get(feature), feature, step)[top:, _LEFT:]
    for name, (row, column, side) in squares(options.crops).items():
      square = np.ascontiguousarray(basket[row : row + side, column : column + side])
      size = (options.size, options.size)
      resized = rgb_files.resize(square, size, Image.Resampling.BILINEAR)
      episode = f"ep{step.episode:06d}"
      metadata = {
        "key": f"{episode}/{episode}_t{step.time:03d}_{view}_{name}",
        "file": step.path.name,
        "episode": step.episode,
        "time": step.time,
        "view": view,
        "crop": name,
      }
      examples.append({"image": rgb_files.png(resized), "metadata": metadata})
  return examples


def _picture(values: Any, feature: str, step: Step) -> np.ndarray:
  where = f"in the record at byte {step.offset}"
  if not isinstance(values, list) or len(values) != 1:
    raise Damaged(step.path, f"has no picture {feature} {where}")
  pixels = decode_rgb(values[0], step.path, ("JPEG",))
  if pixels.shape[:2] != FRAME:
    found, expected = ("x".join(map(str, size)) for size in (pixels.shape[:2], FRAME))
    raise Damaged(step.path, f"has {feature} of {found} pixels {where}, not {expected}")
  return pixels
