"""What is in a folder of YouTube-VOS: its videos, and the objects that `meta.json` lists."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data.building.names import Names
from data.building.object_names import SIZE, Text
from data.building.object_views import Folders, check_plain, pairs
from data.raw.damage import Damaged
from objectcentric_jax.errors import InputError

META = "meta.json"
SINGLE_OBJECT = "1"  # what the only object of a video must be called, and
SINGLE_FRAMES = 32  # in how many frames it must be marked, to be an object of `single`


@dataclasses.dataclass(frozen=True)
class Options:
  """Which videos are converted, and how."""

  videos: str = "single"  # or "all"
  size: int | None = None  # pixels of the short side; None keeps the files as they are


NAMES = Names(
  "youtube_vos",
  Options,
  [Text("videos", "single|all", "single|all"), SIZE],
  examples="single or all_256px",
)


class Video(NamedTuple):
  """A video and what is marked in it."""

  folders: Folders
  marked: frozenset[str]  # names of the frames with a mask
  single: bool  # holds one object, seen often

  def pairs(self) -> dict[str, tuple[Path, Path]]:
    """Picture and mask of the frames that have a mask, or should: some releases have more frames.

    Raises:
      Damaged: the video has no such frame.
    """
    found = pairs(self.folders.images, self.folders.masks)
    marked = {s: pair for s, pair in found.items() if s in self.marked or pair[1].is_file()}
    if not marked:
      raise Damaged(self.folders.masks, "holds no mask")
    return marked


def base(raw: Path) -> Path:
  """The folder with `JPEGImages` and `Annotations`: that given, or `train` in it."""
  for folder in (raw, raw / "train"):
    if (folder / "JPEGImages").is_dir() and (folder / "Annotations").is_dir():
      return folder
  raise InputError(
    f"--from {raw} is not YouTube-VOS: it has no folders train/JPEGImages and train/Annotations"
  )


def names(raw: Path) -> list[str]:
  """The videos that are there; InputError when there are none."""
  found = {
    folder.name
    for kind in ("JPEGImages", "Annotations")
    for folder in (base(raw) / kind).iterdir()
    if folder.is_dir() and not folder.name.startswith(".")
  }
  if not found:
    raise InputError(f"--from {raw} holds no video in {base(raw) / 'JPEGImages'}")
  return sorted(found)


def read_video(folder: Path, every_video: Mapping[str, Any], name: str) -> Video:
  """A video and what its own `meta.json` says of it, or that of all videos.

  Args:
    folder: with `JPEGImages` and `Annotations`.
    every_video: what `read_meta` gives.
    name: of the video.

  Raises:
    Damaged: it is not described, or by something that is no description.
    InputError: names in it that lead out of the folder.
  """
  own = folder / "Annotations" / name / META
  meta, path = (_read(own), own) if own.is_file() else (every_video.get(name), folder / META)
  if meta is None:
    raise Damaged(path, f"does not describe the video {name}, nor is there {own}")
  try:
    frames = {number: list(about["frames"]) for number, about in meta["objects"].items()}
    highest = max(map(int, frames))
  except (KeyError, TypeError, ValueError, AttributeError):
    raise Damaged(path, f"does not say the objects of {name} and their frames") from None
  if not 1 <= highest <= 255:
    raise Damaged(path, f"has an object {highest} in {name}; ids are 1 to 255")
  marked = frozenset(str(frame) for listed in frames.values() for frame in listed)
  for frame in sorted(marked):
    check_plain(frame, path)
  images, masks = folder / "JPEGImages" / name, folder / "Annotations" / name
  single = list(frames) == [SINGLE_OBJECT] and len(frames[SINGLE_OBJECT]) >= SINGLE_FRAMES
  return Video(Folders(name, images, masks, max_objects=highest), marked, single)


def read_meta(folder: Path) -> dict[str, Any]:
  """The `meta.json` of all videos, by their names; nothing where each has its own.

  Raises:
    InputError: it cannot be read, or names that lead out of the folder.
  """
  path = folder / META
  if not path.is_file():
    return {}
  videos = _read(path).get("videos")
  if not isinstance(videos, dict):
    raise Damaged(path, "has no list of `videos`")
  for name in videos:
    check_plain(name, path)
  return videos


def reader(folder: Path):
  """A function that reads the video of a name, see `read_video`."""
  return functools.partial(read_video, folder, read_meta(folder))


def _read(path: Path) -> dict[str, Any]:
  try:
    content = json.loads(path.read_bytes())
  except (ValueError, RecursionError) as error:
    raise Damaged(path, f"is not JSON ({error})") from None
  if not isinstance(content, dict):
    raise Damaged(path, f"holds a {type(content).__name__}, not an object of JSON")
  return content
