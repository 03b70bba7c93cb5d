"""Words in the names of configs that convert files of one's own or parts of a published set.

Standard library only.
"""

import dataclasses
import hashlib

from data.building.names import Number, Word


@dataclasses.dataclass(frozen=True)
class Text(Word):
  """A word that one chooses, at the beginning of a name."""

  field: str
  choices: str  # a regular expression without groups
  shown: str  # in errors
  always: bool = True

  @property
  def fields(self):
    return (self.field,)

  @property
  def grammar(self):
    return self.shown

  @property
  def pattern(self):
    return f"(?P<{self.field}>{self.choices})"

  def read(self, found):
    return {self.field: found[self.field]}

  def spell(self, values):
    return values[self.field]


@dataclasses.dataclass(frozen=True)
class Perhaps(Number):
  """A number whose default is None."""

  def fits(self, values):
    return values[self.field] is None or super().fits(values)


@dataclasses.dataclass(frozen=True)
class Share(Number):
  """About how many percent of the examples a split has; the rest is for training."""

  most: int = 45

  @property
  def limits(self):
    return f"{super().limits} percent"


# A name that is also a folder's, and holds no "_" since that ends it.
OWN_NAME = Text("name", "[A-Za-z][A-Za-z0-9-]*", "NAME")
SIZE = Perhaps("size", after="px", least=8, most=4096)  # None: files are kept as they are
SHARES = (Share("validation", "validation"), Share("test", "test"))


def split_of(key: str, validation: int, test: int) -> str:
  """The split of an example: the same whatever other examples there are.

  Args:
    key: of the example or of what must stay together, such as the frames of a video.
    validation: percent of the keys, about, that are for it.
    test: percent of the keys for the test split.
  """
  place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64 * 100
  if place < test:
    return "test"
  return "validation" if place < test + validation else "train"
