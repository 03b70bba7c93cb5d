"""The names of APC configs."""

import dataclasses

from data.building.names import Names, Number


@dataclasses.dataclass(frozen=True)
class Options:
  """In what size frames are stored."""

  size: int = 128  # pixels of both sides


NAMES = Names(
  "apc",
  Options,
  [Number("size", after="px", least=8, most=480, always=True)],
  examples="128px",
)
