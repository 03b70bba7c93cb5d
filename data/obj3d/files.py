"""The files of OBJ3D: pictures, and boxes beside those of validation and test.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import dataclasses
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.building.names import Names
from data.building.object_names import Text
from data.raw.damage import Attempt, Damaged
from data.raw.frames import Like, numbered, read_picture
from data.raw.raw_images import read_bytes
from objectcentric_jax.errors import InputError

VARIANTS = ("small", "large")
FOLDERS = {"train": "train", "validation": "val", "test": "test"}
BOXES = "bb"
BOX_FRAME = 128  # pixels of a side, to which the boxes refer
UNKNOWN = -1  # the number of objects of pictures without boxes
_PICTURE = re.compile(r"([0-9]+)-.*\.(?:png|jpg)")
_BOXES = re.compile(r"bb_(0|[1-9][0-9]*)\.txt")


@dataclasses.dataclass(frozen=True)
class Options:
  """Which of the two sets."""

  variant: str = "small"


NAMES = Names(
  "obj3d", Options, [Text("variant", "|".join(VARIANTS), "|".join(VARIANTS))], examples="small"
)


class Picture(NamedTuple):
  """A picture and the file of its boxes, None where its split has none."""

  key: str
  image: Path
  boxes: Path | None


def archive(options: Options) -> str:
  """What a variant is called where it is published."""
  return f"OBJ3D_{options.variant.upper()}"


def pictures(raw: Path, options: Options) -> dict[str, list[Picture]]:
  """The pictures of every split that is there, in the published order.

  That is the order of the number their names begin with. The boxes of the i-th picture of that
  order are in `bb/bb_<i>.txt`. Those of the train split were not published.

  Args:
    raw: the folder with those of the splits, or one that holds it, as the archive unpacks.
    options: which variant.

  Raises:
    InputError: no split; or in one no picture, two of one number, a name without one, or boxes
      without a picture.
  """
  for root in (raw, raw / archive(options)):
    there = {split: root / name for split, name in FOLDERS.items() if (root / name).is_dir()}
    if there:
      return {split: _pictures(folder, split) for split, folder in there.items()}
  names = ", ".join(FOLDERS.values())
  raise InputError(f"--from {raw} has no folder {names}, nor has {archive(options)} in it")


def most_boxes(every: list[Picture]) -> int:
  """The most boxes of a picture, at least 1; files that are damaged do not count."""
  read = Attempt(read_boxes)
  found = (read(picture.boxes)[0] for picture in every if picture.boxes is not None)
  return max((len(boxes) for boxes in found if boxes is not None), default=0) or 1


def read_example(picture: Picture, rows: int, like: Like) -> list[dict[str, Any]]:
  """A picture as it is stored.

  Args:
    picture: which.
    rows: K, of the boxes.
    like: gives the size.

  Raises:
    Damaged: the picture cannot be used, see `data.raw.frames.read_picture`, or its boxes are
      missing or none.
  """
  boxes, count = np.zeros((rows, 4), np.float32), UNKNOWN
  if picture.boxes is not None:
    known = read_boxes(picture.boxes)
    boxes[: len(known)], count = known, len(known)
  example = {"image": read_picture(picture.image, like), "bboxes": boxes, "num_objects": count}
  return [{**example, "metadata": {"key": picture.key}}]


def read_boxes(path: Path) -> np.ndarray:
  """The boxes of a file, float32 [K, 4]: ymin, xmin, ymax, xmax as shares of the picture.

  A line of the file is `centre_x,centre_y,width,height` in pixels of a picture of 128. Boxes may
  reach beyond the picture.

  Raises:
    Damaged: the file is missing, or a line is not of that form.
  """
  content = b"" if path.is_file() and not path.stat().st_size else read_bytes(path)
  lines = [line for line in content.decode(errors="replace").splitlines() if line.strip()]
  boxes = []
  for number, line in enumerate(lines, start=1):
    try:
      x, y, width, height = map(float, line.split(","))
    except ValueError:
      raise Damaged(path, f"line {number} is not centre_x,centre_y,width,height") from None
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
      raise Damaged(path, f"line {number} is no box: {line.strip()}")
    boxes.append((y - height / 2, x - width / 2, y + height / 2, x + width / 2))
  return (np.array(boxes, np.float64).reshape(-1, 4) / BOX_FRAME).astype(np.float32)


def _pictures(folder: Path, split: str) -> list[Picture]:
  names = numbered(folder, _PICTURE)
  for path in sorted(folder.iterdir()):
    if path.suffix in (".png", ".jpg") and not _PICTURE.fullmatch(path.name):
      raise InputError(f"{path} is not named <integer>-<name>, which gives pictures their order")
  if not names:
    raise InputError(f"{folder} holds no picture <integer>-<name>.png")
  boxes = folder / BOXES
  known = split != "train" or boxes.is_dir()
  there = numbered(boxes, _BOXES) if boxes.is_dir() else {}
  if there and max(there) >= len(names):
    raise InputError(f"{there[max(there)]} has no picture: {folder} holds {len(names)} of them")
  return [
    Picture(f"{split}/{number:06d}", path, boxes / f"bb_{place}.txt" if known else None)
    for place, (number, path) in enumerate(names.items())
  ]
