"""The names of configs of object folders: those that are drawn here, and those of one's own."""

import dataclasses

from data.building.names import SPLITS_AND_SEED, Names, Number
from data.building.object_names import OWN_NAME, SHARES, SIZE
from data.object_folders.drawing import Options


@dataclasses.dataclass(frozen=True)
class TreeOptions:
  """How folders are converted; as published, all views are in the train split."""

  name: str = ""
  size: int | None = None  # pixels of the short side; None keeps the files as they are
  validation: int = 0  # percent of the views
  test: int = 0


_DRAWN = Names(
  "object_folders",
  Options,
  [
    Number("size", after="px", least=16, most=1024, always=True),
    Number("objects", after="objects", least=1, most=999, always=True),
    *SPLITS_AND_SEED,
  ],
  examples="256px_12objects or 64px_3objects_train8",
)
_TREES = Names(
  "object_folders",
  TreeOptions,
  [OWN_NAME, SIZE, *SHARES],
  examples="ithor or mine_256px_validation10 (names that begin with a digit are of drawn sets)",
)


def parse(name: str) -> Options | TreeOptions:
  """The options a name spells; InputError, with the grammar, where it is none."""
  return (_DRAWN if name[:1].isdigit() else _TREES).parse(name)
