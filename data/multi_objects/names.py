"""The names of Multi-Object Datasets configs."""

import dataclasses

from data.building.names import Names, Number
from data.building.object_names import Text
from data.multi_objects.layouts import LAYOUTS, Layout

_VARIANTS = "|".join(LAYOUTS)


@dataclasses.dataclass(frozen=True)
class Options:
  """Which file is converted, and how many of its records each split has."""

  variant: str = "multi_dsprites_colored_on_colored"
  train_records: int = 40_000
  validation_records: int = 10_000
  test_records: int = 10_000

  @property
  def layout(self) -> Layout:
    return LAYOUTS[self.variant]

  @property
  def counts(self) -> dict[str, int]:
    """Records of the splits in the order in which they are in the file."""
    return {
      "test": self.test_records,
      "validation": self.validation_records,
      "train": self.train_records,
    }


def _published(values) -> dict[str, int]:
  layout = LAYOUTS.get(values.get("variant", ""))
  splits = ("train", "validation", "test") if layout else ()
  return {f"{split}_records": getattr(layout, split) for split in splits}


NAMES = Names(
  "multi_objects",
  Options,
  [
    Text("variant", _VARIANTS, _VARIANTS),
    Number("train_records", "train"),
    Number("validation_records", "validation"),
    Number("test_records", "test"),
  ],
  examples="tetrominoes or objects_room_train50000",
  defaults=_published,
)
