"""What is in a folder of DAVIS: which sequences there are and to which split they belong."""

import dataclasses
import re
from pathlib import Path

from data.building.names import Flag, Names
from data.building.object_names import SIZE, Text
from data.building.object_views import Folders, check_plain
from objectcentric_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
  """Which files are converted, and how."""

  year: str = "2016"
  full: bool = False  # the frames as filmed instead of those of 480 rows
  size: int | None = None  # pixels of the short side; None keeps the files as they are


NAMES = Names(
  "davis",
  Options,
  [Text("year", "2016|2017", "2016|2017"), Flag("full"), SIZE],
  examples="2016 or 2017_full_256px",
)
MOST_OBJECTS = {"2016": None, "2017": 10}  # of a sequence; 2016 does not tell them apart
LISTS = {"train": "train.txt", "validation": "val.txt"}
FULL = {"2016": "1080p", "2017": "Full-Resolution"}
_FRAME = re.compile(r"/?JPEGImages/[^/]+/([^/]+)/[^/]+")  # how the lists of 2016 begin a line


def find(raw: Path, options: Options) -> list[Folders]:
  """The sequences that are listed and there.

  Raises:
    InputError: no list, a list that is none, or none of its sequences there.
  """
  images, masks = _folders(raw, options)
  found = [
    Folders(name, images / name, masks / name, split, MOST_OBJECTS[options.year])
    for split, names in _lists(raw, options).items()
    for name in names
    if (images / name).is_dir() or (masks / name).is_dir()
  ]
  if not found:
    raise InputError(f"--from {raw} holds no sequence of DAVIS {options.year} in {images}")
  return found


def count(raw: Path, options: Options) -> tuple[int, int]:
  """How many sequences are there, of how many listed ones; InputError as `find`."""
  return len(find(raw, options)), sum(map(len, _lists(raw, options).values()))


def _folders(raw: Path, options: Options) -> tuple[Path, Path]:
  resolution = FULL[options.year] if options.full else "480p"
  folders = raw / "JPEGImages" / resolution, raw / "Annotations" / resolution
  for folder in folders:
    if not folder.is_dir():
      raise InputError(f"--from {raw} is not DAVIS: it has no folder {folder.relative_to(raw)}")
  return folders


def _lists(raw: Path, options: Options) -> dict[str, list[str]]:
  """The names of the sequences of every split that has a list."""
  # The first release has its lists in folders named after the resolution.
  places = [options.year, *(["480p", "1080p"] if options.year == "2016" else [])]
  folders = [raw / "ImageSets" / place for place in places]
  folder = next((f for f in folders if any((f / name).is_file() for name in LISTS.values())), None)
  if folder is None:
    raise InputError(f"--from {raw} has no lists of sequences: {folders[0]}/train.txt and val.txt")
  lists = {s: _names(folder / name) for s, name in LISTS.items() if (folder / name).is_file()}
  twice = sorted(set(lists.get("train", ())) & set(lists.get("validation", ())))
  if twice:
    raise InputError(f"{folder} lists {twice[0]} in both train.txt and val.txt")
  return lists


def _names(path: Path) -> list[str]:
  """The sequences of a list: one name a line, or the files of one frame a line."""
  names = []
  for line in path.read_text(errors="replace").split("\n"):
    words = line.split()
    if words:
      frame = _FRAME.fullmatch(words[0])
      names.append(frame[1] if frame else words[0])
      check_plain(names[-1], path)
  return list(dict.fromkeys(names))
