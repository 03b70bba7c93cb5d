"""Names of MOVi's configs.

Standard library only.
"""

import dataclasses

from data.building.names import Flag, Names, Number
from data.building.object_names import Text

# The most instances of a video: A to C have 3 to 10 objects, D to F 10 to 20 and 1 to 3 more.
MOST_OBJECTS = {"a": 10, "b": 10, "c": 10, "d": 23, "e": 23, "f": 23}


@dataclasses.dataclass(frozen=True)
class Options:
  """Which of the sets, and what is kept of it beside colours, ids and factors."""

  letter: str = "a"
  side: int = 256  # as published: 256 or 128, and 512 of F
  depth: bool = False
  flow: bool = False  # forwards and backwards


NAMES = Names(
  "movi",
  Options,
  [
    Text("letter", "[a-f]", "LETTER (a to f)"),
    Number("side", after="px", least=8, most=1024, always=True),
    Flag("depth"),
    Flag("flow"),
  ],
  examples="a_128px or e_256px_depth",
)
