"""The names of the review's sets."""

import dataclasses

from data.building.names import Names
from data.building.object_names import Text

SETS = ("mnist", "dsprites", "shapes", "abstract", "clevr", "shop", "gso")


@dataclasses.dataclass(frozen=True)
class Options:
  """Which set is converted."""

  name: str = "dsprites"


NAMES = Names(
  "review", Options, [Text("name", "|".join(SETS), "|".join(SETS))], examples="dsprites or clevr"
)
