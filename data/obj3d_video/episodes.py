"""The files of the OBJ3D videos: a folder an episode, with numbered frames.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any, NamedTuple

from data.building.names import Names
from data.building.object_names import Perhaps, Text
from data.raw.damage import Damaged
from data.raw.frames import Like, numbered, read_picture, with_gaps
from objectcentric_jax.errors import InputError

ARCHIVE = "OBJ3D"
FOLDERS = {"train": "train", "validation": "val", "test": "test"}
_EPISODE = re.compile(r"([0-9]+)")
_FRAME = re.compile(r"test_([0-9]+)\.png")


@dataclasses.dataclass(frozen=True)
class Options:
  """How much of every episode is stored."""

  episodes: str = "all"
  first: int | None = None  # so many frames; None for all


NAMES = Names(
  "obj3d_video",
  Options,
  [Text("episodes", "all", "all"), Perhaps("first", "first", least=1)],
  examples="all or all_first30",
)


class Episode(NamedTuple):
  """The frames of a video in their order."""

  key: str
  frames: tuple[Path, ...]


def episodes(raw: Path, options: Options) -> dict[str, list[Episode]]:
  """The episodes of every split that is there, in the order of their numbers.

  Args:
    raw: the folder with those of the splits, or one that holds it, as the archive unpacks.
    options: how many frames.

  Raises:
    InputError: no split, a split without episodes, or one without frames.
  """
  for root in (raw, raw / ARCHIVE):
    there = {split: root / name for split, name in FOLDERS.items() if (root / name).is_dir()}
    if there:
      return {split: _episodes(folder, split, options) for split, folder in there.items()}
  names = ", ".join(FOLDERS.values())
  raise InputError(f"--from {raw} has no folder {names}, nor has {ARCHIVE} in it")


def read_episode(episode: Episode, like: Like, options: Options) -> list[dict[str, Any]]:
  """An episode as it is stored.

  Args:
    episode: which.
    like: gives the size.
    options: how many frames it must have.

  Raises:
    Damaged: a frame is missing or cannot be used, or there are too few of them.
  """
  if options.first is not None and len(episode.frames) < options.first:
    folder, count = episode.frames[0].parent, len(episode.frames)
    raise Damaged(folder, f"holds {count} frames, fewer than the {options.first} asked for")
  frames = [read_picture(path, like) for path in episode.frames]
  return [{"video": frames, "metadata": {"key": episode.key}}]


def _episodes(folder: Path, split: str, options: Options) -> list[Episode]:
  numbers = numbered(folder, _EPISODE)
  if not numbers:
    raise InputError(f"{folder} holds no folder of an episode, named by an integer")
  return [
    Episode(f"{split}/{number:05d}", _frames(path, options)) for number, path in numbers.items()
  ]


def _frames(folder: Path, options: Options) -> tuple[Path, ...]:
  paths = with_gaps(numbered(folder, _FRAME), "test_{}.png".format)
  if not paths:
    raise InputError(f"{folder} holds no frame test_<integer>.png")
  return tuple(paths.values())[: options.first]
