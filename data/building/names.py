"""Names of configs: every option of a generated set is in its name.

So that other options never find the shards of these. A name is words joined by "_", in a fixed
order, and every set of options has one shortest name.

Standard library only.
"""

import abc
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from objectcentric_jax.errors import InputError

NUMBER = "(?:0|[1-9][0-9]*)"  # no leading zeros: a number has one spelling
MOST = 10**9  # of anything that is counted

Options = TypeVar("Options")


class Word(abc.ABC):
  """One word of a name: how it is written, read and shown, and what it may say."""

  always = False  # also spelled when it says the default
  limits = ""  # of what it may say, for errors
  fields: tuple[str, ...]  # of the options that it says
  grammar: str  # as errors show it
  pattern: str  # a regular expression with a group for each field

  def read(self, found: Mapping[str, str]) -> dict[str, Any]:
    """The values of its fields, from the texts of the groups."""
    return {field: int(found[field]) for field in self.fields}

  @abc.abstractmethod
  def spell(self, values: Mapping[str, Any]) -> str:
    """The word, from the values of all fields."""

  def fits(self, values: Mapping[str, Any]) -> bool:
    """Whether the values of its fields are within the limits."""
    return True


@dataclasses.dataclass(frozen=True)
class Number(Word):
  """A number and what it is called: `before` and `after` are the text around it."""

  field: str
  before: str = ""
  after: str = ""
  least: int = 0
  most: int = MOST
  always: bool = False

  @property
  def fields(self):
    return (self.field,)

  @property
  def grammar(self):
    return f"{self.before}{'N' if self.before else self.field.upper()}{self.after}"

  @property
  def pattern(self):
    return f"{re.escape(self.before)}(?P<{self.field}>{NUMBER}){re.escape(self.after)}"

  @property
  def limits(self):
    return f"{self.field} {self.least} to {self.most}" if self.most < MOST else ""

  def spell(self, values):
    return f"{self.before}{values[self.field]}{self.after}"

  def fits(self, values):
    return self.least <= values[self.field] <= self.most


@dataclasses.dataclass(frozen=True)
class Objects(Word):
  """The fewest and the most objects, MIN-MAX: the fields `min_objects` and `max_objects`."""

  least: int
  most: int
  always: bool = True
  fields = ("min_objects", "max_objects")
  grammar = "MIN-MAX"
  pattern = f"(?P<min_objects>{NUMBER})-(?P<max_objects>{NUMBER})"

  @property
  def limits(self):
    return f"{self.least} <= MIN <= MAX <= {self.most}"

  def spell(self, values):
    return f"{values['min_objects']}-{values['max_objects']}"

  def fits(self, values):
    return self.least <= values["min_objects"] <= values["max_objects"] <= self.most


@dataclasses.dataclass(frozen=True)
class Flag(Word):
  """A word that is there or not: a field that is True or False."""

  field: str

  @property
  def fields(self):
    return (self.field,)

  @property
  def grammar(self):
    return self.field

  @property
  def pattern(self):
    return f"(?P<{self.field}>{self.field})"

  def read(self, found):
    return {self.field: True}

  def spell(self, values):
    return self.field


@dataclasses.dataclass(frozen=True)
class Choice(Word):
  """One of several words; the default of the field is none of them and is not spelled."""

  field: str
  words: tuple[str, ...]

  @property
  def fields(self):
    return (self.field,)

  @property
  def grammar(self):
    return "|".join(self.words)

  @property
  def pattern(self):
    return f"(?P<{self.field}>{self.grammar})"

  def read(self, found):
    return {self.field: found[self.field]}

  def spell(self, values):
    return values[self.field]


SPLITS_AND_SEED = (
  Number("train", "train", least=1),
  Number("validation", "validation", least=1),
  Number("test", "test", least=1),
  Number("seed", "seed"),
)


class Names(Generic[Options]):
  """The names of a dataset's configs, each equal to one set of options."""

  def __init__(
    self,
    dataset: str,
    options: Callable[..., Options],
    words: Sequence[Word],
    examples: str,
    defaults: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda values: {},
  ):
    """Describes the names.

    Args:
      dataset: said in errors.
      options: a dataclass with a default for every field; `train`, `validation` and `test`, where
        it has them, are numbers of scenes.
      words: in the order of the name; the first must be in every name.
      examples: shown in errors.
      defaults: defaults that depend on the values of earlier words, in place of the dataclass's.
        Those of validation and test, a tenth of the train split where that is given, are known.
    """
    self._dataset = dataset
    self._options = options
    self._words = tuple(words)
    self._given_defaults = defaults
    self._plain = {field.name: field.default for field in dataclasses.fields(options)}
    self._name = re.compile(_joined(words, lambda word: word.pattern, "(?:{})?"))
    shown = _joined(words, lambda word: word.grammar, "[{}]")
    limits = " and ".join(word.limits for word in words if word.limits)
    limited = f", with {limits}" if limits else ""
    self.grammar = f"{shown}{limited}, for example {examples}"

  def parse(self, name: str) -> Options:
    """The options a name spells.

    Where the train split is given and the others are not, they have a tenth of it, at least one.

    Raises:
      InputError: not a name; shows the grammar.
    """
    match = self._name.fullmatch(name)
    if not match:
      raise InputError(f"{self._dataset} config {name!r} is not of the form {self.grammar}")
    found = {key: text for key, text in match.groupdict().items() if text is not None}
    values = {}
    for word in self._words:
      if word.fields[0] in found:
        values |= word.read(found)
    values = self._defaults(values) | values
    if not all(word.fits(values) for word in self._words):
      raise InputError(
        f"{self._dataset} config {name!r} is outside of {self.grammar}"
        f"{'; every split has a scene' if 'train' in self._plain else ''}"
      )
    return self._options(**values)

  def spell(self, options: Options) -> str:
    """The shortest name of the config with these options: only what differs from the default."""
    values = dataclasses.asdict(options)
    defaults = self._defaults(values)
    return "_".join(
      word.spell(values)
      for word in self._words
      if word.always or any(values[field] != defaults[field] for field in word.fields)
    )

  def _defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields are that are not in `values`, or would be."""
    defaults = self._plain | dict(self._given_defaults(values))
    train = values.get("train", defaults.get("train"))
    if train != defaults.get("train"):
      defaults |= dict.fromkeys(("validation", "test"), max(1, train // 10))
    return defaults


def _joined(words: Sequence[Word], text_of: Callable[[Word], str], optional: str) -> str:
  """The texts of the words with "_" before all but the first, those not `always` made optional."""
  texts = [f"_{text_of(word)}" for word in words]
  parts = (t if w.always else optional.format(t) for w, t in zip(words, texts, strict=True))
  return "".join(parts)[1:]
