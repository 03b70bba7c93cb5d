"""The annotations of one sequence of MOTSynth: who is where in each frame.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import functools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.motsynth import rle
from data.raw.damage import Damaged


class Person(NamedTuple):
  """One person in one frame."""

  number: int  # id in the segmentations
  pedestrian: int  # id in the annotations
  size: tuple[int, int]  # height and width of the mask
  counts: list[int] | str  # see `rle`


class Annotations(NamedTuple):
  """A sequence.

  Attributes:
    path: their file.
    people: how many there are in all frames; their ids are 1 to so many, by their `ped_id`.
    frames: the people in each frame, by the number of its file.
  """

  path: Path
  people: int
  frames: dict[int, list[Person]]


def read(path: Path) -> Annotations:
  """Reads a file of COCO annotations, once for all of its frames.

  Raises:
    Damaged: it is missing, or not such a file.
  """
  try:
    return _read(path, path.stat().st_mtime_ns)
  except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
    raise Damaged(path, "does not exist") from None


@functools.lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> Annotations:
  """As `read`, of the file as it was when it was changed last."""
  del changed
  try:
    content = json.loads(path.read_bytes())
    frames = {image["id"]: int(Path(image["file_name"]).stem) for image in content["images"]}
    known = sorted({annotation["ped_id"] for annotation in content["annotations"]})
    numbers = {pedestrian: number for number, pedestrian in enumerate(known, start=1)}
    people = {number: [] for number in frames.values()}
    for annotation in content["annotations"]:
      mask, pedestrian = annotation["segmentation"], annotation["ped_id"]
      height, width = mask["size"]
      person = Person(numbers[pedestrian], pedestrian, (height, width), mask["counts"])
      people[frames[annotation["image_id"]]].append(person)
  except (ValueError, KeyError, TypeError) as error:
    reason = f"{type(error).__name__}: {error}"
    raise Damaged(path, f"is no file of COCO annotations ({reason})") from None
  if len(people) != len(frames):
    raise Damaged(path, "names a frame twice")
  return Annotations(path, len(known), people)


def segmentation(annotations: Annotations, frame: int, size: tuple[int, int]) -> np.ndarray:
  """The ids of the people in a frame; where two share a pixel it is the later one's.

  Args:
    annotations: of the sequence.
    frame: its number.
    size: height and width of the frame.

  Returns:
    uint8, or uint16 where the sequence has more than 255 people, [H, W, 1]; 0 is the background.

  Raises:
    Damaged: the frame is not annotated, or a mask is none or of another size.
  """
  people = annotations.frames.get(frame)
  if people is None:
    raise Damaged(annotations.path, f"does not have the frame {frame:04d}")
  height, width = size
  ids = np.zeros(height * width, id_type(annotations.people))
  for person in people:
    who = f"frame {frame:04d}, ped_id {person.pedestrian}"
    if person.size != size:
      found = "x".join(map(str, person.size))
      raise Damaged(annotations.path, f"has a mask of {found}, not {height}x{width} ({who})")
    try:
      rle.paint(ids, rle.runs(person.counts, height, width), person.number)
    except (ValueError, TypeError) as error:
      raise Damaged(annotations.path, f"has a mask that is none: {error} ({who})") from None
  return ids.reshape(width, height).T[..., None]


def id_type(people: int) -> type:
  """The type of ids 0 to `people`."""
  return np.uint8 if people <= 255 else np.uint16
