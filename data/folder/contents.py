"""What is made of a folder's files: which pictures or videos there are, and in which split."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from data.building.object_names import split_of
from data.folder import names, pictures
from data.folder.listing import Listing, Still, shown
from data.folder.pictures import Frame, StillTask
from data.raw import video_files
from objectcentric_jax.errors import InputError

SPLITS = ("train", "validation", "test")


class Video(NamedTuple):
  """A video, be it a file or a folder of pictures."""

  key: str
  path: Path
  object_id: int  # its place among all
  stills: list[Still] | None  # None: a file

  @property
  def object_name(self) -> str:
    return self.key

  def clips(self, options: names.Options) -> Iterator[list[Frame]]:
    """Its clips, see `pictures.clips`."""
    if self.stills is None:
      frames = pictures.file_frames(self.path)
    else:
      frames = pictures.folder_frames(self.stills)
    return pictures.clips(self.path, frames, options.frames, options.stride, options.size)

  def clip_count(self, options: names.Options) -> int:
    """About how many clips it gives."""
    frames = video_files.frame_count(self.path) if self.stills is None else len(self.stills)
    return -(-frames // options.stride) // options.frames

  def metadata(self, number: int, options: names.Options) -> dict[str, Any]:
    """What is said of its clip `number`."""
    first = number * options.frames * options.stride
    return pictures.metadata(f"{self.key}/{number:05d}", self.object_id, self.key, first)


def splits_of(
  raw: Path, listing: Listing, options: names.Options
) -> dict[str, list[StillTask] | list[Video]]:
  """The pictures or videos of every split that has any.

  Raises:
    InputError: there is none, or none for training.
  """
  items = _stills(listing, options) if options.frames is None else _videos(raw, listing)
  if not items:
    kind, other = "picture", f"folder/{names.with_frames(options)} makes clips of its videos"
    if options.frames is not None:
      kind, other = "video", "a name without framesN makes a set of pictures"
    raise InputError(f"--from {raw} holds no {kind}; {other}")
  splits = {split: [] for split in SPLITS}
  for item in items:
    splits[split_of(item.key, options.validation, options.test)].append(item)
  if not splits["train"]:
    raise InputError(
      f"--from {raw}: none of {len(items)} falls into the train split; name smaller shares, "
      "such as _validation0_test0"
    )
  return {split: found for split, found in splits.items() if found}


def describe(listing: Listing, splits: dict[str, list], options: names.Options) -> str:
  """What there is, what is passed over and how large the splits are, in one line."""
  kind = "pictures" if options.frames is None else "videos"
  total = sum(map(len, splits.values()))
  shares = ", ".join(f"{split} {len(found)}" for split, found in splits.items())
  over = [*listing.others, *(listing.videos.values() if options.frames is None else ())]
  passed = f", {len(over)} other files passed over ({shown(over)})" if over else ""
  return f"folder of {total} {kind}{' with masks' * listing.masked} ({shares}){passed}"


def _stills(listing: Listing, options: names.Options) -> list[StillTask]:
  numbers = {group: number for number, group in enumerate(listing.frame_folders())}
  return [StillTask(still, numbers[still.group], options.size) for still in listing.stills]


def _videos(raw: Path, listing: Listing) -> list[Video]:
  folders = listing.frame_folders()
  for name, path in listing.videos.items():
    if name in folders:
      raise InputError(f"{path} and the folder of pictures {name} share a name: rename one of them")
    if listing.masked:
      raise InputError(f"{path} has no masks, but the pictures there have: convert them apart")
  root = raw if raw.is_dir() else raw.parent
  found = [(name, path, None) for name, path in listing.videos.items()]
  found += [(name, root / name, stills) for name, stills in folders.items()]
  found.sort(key=lambda video: video_files.natural_key(video[0]))
  return [Video(name, path, number, stills) for number, (name, path, stills) in enumerate(found)]
