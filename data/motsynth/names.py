"""Names of MOTSynth's configs.

Standard library only.
"""

import dataclasses

from data.building.names import Names, Number
from data.building.object_names import Text

BACKGROUNDS = ("original", "black", "gradient", "image", "blurred")
# Sequences whose camera stands still and looks down, as the SCALOR experiments list them: those of
# the sets with other backgrounds, of the training on several videos, and all that are from above.
LISTS = {
  "static19": "019-028-033-042-059-060-068-073-086-094-103-112-121-130-147-161-170-178-187",
  "multi8": "028-033-042-059-060-068-073-086",
  "top44": (
    "002-010-019-028-033-034-042-043-050-052-059-060-062-068-069-073-077-078-084-086-087-090-094-"
    "096-103-104-112-113-121-122-130-138-147-156-161-162-170-171-178-180-187-188-196-197"
  ),
}
ALL = "all"
RADIUS = 12


@dataclasses.dataclass(frozen=True)
class Options:
  """Which sequences, on what background, how large."""

  background: str = "original"
  radius: int = RADIUS  # of the blur, in pixels of the frames as filmed
  sequences: str = "static19"  # one of LISTS, ALL, or numbers joined by "-"
  size: int = 256  # rows of the stored frames

  @property
  def numbers(self) -> list[str] | None:
    """The sequences; None for all that are there."""
    return None if self.sequences == ALL else LISTS.get(self.sequences, self.sequences).split("-")

  @property
  def listed(self) -> bool:
    """Whether the sequences are a list of which some may not be there."""
    return self.sequences in LISTS or self.sequences == ALL


@dataclasses.dataclass(frozen=True)
class _Radius(Number):
  def fits(self, values):
    blurred = values["background"] == "blurred"
    return super().fits(values) and (blurred or values["radius"] == RADIUS)

  @property
  def limits(self):
    return f"{super().limits} behind blurred"


@dataclasses.dataclass(frozen=True)
class _Sequences(Text):
  def fits(self, values):
    numbers = values["sequences"].split("-")
    return numbers == sorted(set(numbers))

  @property
  def limits(self):
    return "ascending SEQUENCES such as 028-033"


NAMES = Names(
  "motsynth",
  Options,
  [
    Text("background", "|".join(BACKGROUNDS), "|".join(BACKGROUNDS)),
    _Radius("radius", "radius", least=1, most=200),
    _Sequences(
      "sequences",
      "|".join((*LISTS, ALL, "[0-9]{3}(?:-[0-9]{3})*")),
      "|".join((*LISTS, ALL, "SEQUENCES")),
      always=False,
    ),
    Number("size", after="px", least=8, most=4096),
  ],
  examples="original_multi8 or blurred_radius24_033_128px",
)
