"""The names of Sketchy configs."""

import dataclasses

from data.building.names import Names, Number
from data.building.object_names import Text


@dataclasses.dataclass(frozen=True)
class Options:
  """Which parts of the frames are stored, and in what size."""

  size: int = 128  # pixels of both sides
  crops: str = "all"  # or "full": the middle of the frame alone


NAMES = Names(
  "sketchy",
  Options,
  [
    Number("size", after="px", least=8, most=448, always=True),
    Text("crops", "all|full", "all|full"),
  ],
  examples="128px_all or 64px_full",
)
