"""What is in a folder of CO3D: categories, their sequences, and the scale of their depths."""

import dataclasses
import gzip
import json
import zlib
from pathlib import Path

from data.building.names import Flag, Names
from data.building.object_names import SIZE, Text
from data.building.object_views import Folders
from data.raw.damage import Damaged
from objectcentric_jax.errors import InputError

EVERY = "all"
ANNOTATIONS = "frame_annotations.jgz"


@dataclasses.dataclass(frozen=True)
class Options:
  """Which files are converted, and how."""

  categories: str = EVERY  # or their names joined by "-"
  depth: bool = False  # is stored too
  size: int | None = None  # pixels of the short side; None keeps the files as they are


NAMES = Names(
  "co3d",
  Options,
  [Text("categories", "[a-z]+(?:-[a-z]+)*", "all|CATEGORY[-CATEGORY...]"), Flag("depth"), SIZE],
  examples="all, apple-teddybear or all_depth_256px",
)


def find(raw: Path, options: Options) -> list[Folders]:
  """The sequences of the categories that are asked for.

  Raises:
    InputError: there are none, or a category that is asked for is not there.
  """
  found = {folder.name: _sequences(folder) for folder in _folders(raw)}
  there = sorted(name for name, sequences in found.items() if sequences)
  if not there:
    inside = "; give the folder above it" if _sequences(raw) else ""
    raise InputError(f"--from {raw} holds no CATEGORY/SEQUENCE/images as CO3D does{inside}")
  wanted = there if options.categories == EVERY else options.categories.split("-")
  for name in wanted:
    if name not in there:
      raise InputError(f"--from {raw} has no category {name!r}; it has {', '.join(there)}")
  return [
    Folders(f"{category}/{sequence.name}", sequence / "images", sequence / "masks")
    for category in sorted(set(wanted))
    for sequence in found[category]
  ]


def read_scales(category: Path) -> dict[tuple[str, str], float]:
  """What the depths of a category are multiplied by, by sequence and name of the picture.

  Raises:
    Damaged: the annotations are missing or cannot be read.
  """
  path = category / ANNOTATIONS
  try:
    frames = json.loads(gzip.decompress(path.read_bytes()))
    return {
      (frame["sequence_name"], frame["image"]["path"].rpartition("/")[2]): float(
        frame["depth"]["scale_adjustment"]
      )
      for frame in frames
      if frame.get("depth")
    }
  except FileNotFoundError:
    raise Damaged(path, "does not exist; depths need it") from None
  except (OSError, EOFError, ValueError, zlib.error) as error:
    raise Damaged(path, f"cannot be read as gzip of JSON ({error})") from None
  except (KeyError, TypeError, AttributeError) as error:
    raise Damaged(path, f"does not say the depths of frames ({error})") from None


def _folders(folder: Path) -> list[Path]:
  return sorted(path for path in folder.glob("*/") if not path.name.startswith("."))


def _sequences(category: Path) -> list[Path]:
  return [f for f in _folders(category) if (f / "images").is_dir() or (f / "masks").is_dir()]
