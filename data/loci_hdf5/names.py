"""Names of configs, and of the files that belong to them.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import dataclasses
import re
from pathlib import Path

from data.building.names import Flag, Names
from data.building.object_names import OWN_NAME
from objectcentric_jax.errors import InputError

SPLITS = {
  "train": "train",
  "val": "validation",
  "validation": "validation",
  "test": "test",
  "general": "generalization",
  "generalization": "generalization",
}
_FILE = re.compile(
  rf"(?P<name>.+)-(?P<split>{'|'.join(SPLITS)})-[0-9]+x[0-9]+(?:-v[0-9]+)?\.(?:hdf5|h5)"
)


@dataclasses.dataclass(frozen=True)
class Options:
  """Which files, and what is kept of their masks."""

  name: str = "movi-a"  # how the files are called
  split80: bool = False  # the last fifth of the training sequences is for validation
  amodal: bool = False  # the masks as they are, which may overlap or have grades
  foreground: bool = False  # also the mask of the foreground


NAMES = Names(
  "loci_hdf5",
  Options,
  [OWN_NAME, Flag("split80"), Flag("amodal"), Flag("foreground")],
  examples="movi-a or mnist_amodal",
)


def find(raw: Path, name: str) -> dict[str, Path]:
  """The file `<name>-<split>-<height>x<width>[-v<number>].hdf5` of every split that is there.

  Args:
    raw: a file, or the folder with them.
    name: of the dataset.

  Raises:
    InputError: there is none, or two of one split.
  """
  found, others = {}, set()
  for path in [raw] if raw.is_file() else sorted(raw.iterdir()):
    match = _FILE.fullmatch(path.name)
    if match and match["name"] != name:
      others.add(match["name"])
    elif match:
      split = SPLITS[match["split"]]
      if split in found:
        both = f"{found[split].name} and {path.name}"
        raise InputError(f"--from {raw} holds {both}: give one of them, or a folder with one")
      found[split] = path
  if not found:
    there = f"; there are files of: {', '.join(sorted(others))}" if others else ""
    raise InputError(f"--from {raw} holds no file {name}-<split>-<height>x<width>.hdf5{there}")
  return found
