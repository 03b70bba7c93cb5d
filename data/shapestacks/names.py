"""The names of ShapeStacks configs."""

import dataclasses

from data.building.names import Flag, Names
from data.building.object_names import Text

PUBLISHED_SPLITS = ("default", "blocks_all", "ccs_all")


@dataclasses.dataclass(frozen=True)
class Options:
  """Which lists say what belongs to the splits, and what is converted."""

  lists: str = "default"
  images: bool = False  # alone, without masks


NAMES = Names(
  "shapestacks",
  Options,
  [Text("lists", "|".join(PUBLISHED_SPLITS), "|".join(PUBLISHED_SPLITS)), Flag("images")],
  examples="default or ccs_all_images",
)
