"""The frames of Grand Central Station, in a folder as <integer>.png.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

from data.building.names import Names
from data.building.object_names import Text
from data.raw.frames import Frame, first_size, numbered, read_picture, with_gaps
from objectcentric_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
  """There is nothing to choose: crops and clips are made when the set is read."""

  size: str = "full"


NAMES = Names("grand_central", Options, [Text("size", "full", "full")], examples="full")
SEQUENCE = "station"
TEST_SHARE = 10  # the last tenth of the frames is for the test
_NAME = re.compile(r"([0-9]+)\.png")


def frames(raw: Path) -> dict[str, list[Frame]]:
  """The frames of every split that has any, in the order of time.

  Raises:
    InputError: no folder, no frame in it, or two files of one number.
  """
  found = numbered(raw, _NAME)
  if not found:
    raise InputError(f"--from {raw} holds no frame: files are called <integer>.png")
  like = first_size(found.values())
  paths = with_gaps(found, "{}.png".format)
  every = [Frame(SEQUENCE, number, path, like) for number, path in paths.items()]
  first_of_test = len(every) - len(every) // TEST_SHARE
  splits = {"train": every[:first_of_test], "test": every[first_of_test:]}
  return {split: part for split, part in splits.items() if part}


def read_frame(frame: Frame) -> list[dict[str, Any]]:
  """A frame as it is stored; Damaged as `data.raw.frames.read_picture`."""
  return [{"image": read_picture(frame.path, frame.like), "metadata": {"key": frame.key}}]
