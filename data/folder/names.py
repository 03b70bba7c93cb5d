"""The names of sets made of one's own files: a name one chooses, and how they are converted."""

import dataclasses

from data.building.names import Names, Number
from data.building.object_names import OWN_NAME, SHARES, SIZE, Perhaps
from objectcentric_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
  """How files are converted."""

  name: str = "mine"
  size: int | None = None  # pixels of a side of the middle square; None keeps whole pictures
  validation: int = 10  # percent of the pictures or videos
  test: int = 10
  frames: int | None = None  # of a clip; None makes a set of single pictures
  stride: int = 1  # every so manieth frame of a video is taken


_NAMES = Names(
  "folder",
  Options,
  [
    OWN_NAME,
    SIZE,
    *SHARES,
    Perhaps("frames", "frames", least=2),
    Number("stride", "stride", least=1),
  ],
  examples="holiday_128px or cats_64px_test0_frames10_stride2",
)


def parse(name: str) -> Options:
  """The options a name spells; InputError, with the grammar, where it is none."""
  options = _NAMES.parse(name)
  if options.frames is None and options.stride > 1:
    raise InputError(f"folder config {name!r} has a stride but no framesN: clips have both")
  return options


def with_frames(options: Options) -> str:
  """The name of a set of clips of the same files, as messages suggest it."""
  return _NAMES.spell(dataclasses.replace(options, frames=10))
