"""The names of Multi-dSprites configs: every option is in the name, so other options never find
the shards of these."""

import re

from data.multi_dsprites.scenes import Options
from objectcentric_jax.errors import InputError

MAX_SIZE = 1024
MAX_OBJECTS = 6
GRAMMAR = (
  "SIZEpx_MIN-MAX[_unique][_published][_trainN][_validationN][_testN][_seedN], "
  f"with SIZE 8 to {MAX_SIZE} and 1 <= MIN <= MAX <= {MAX_OBJECTS}, "
  "for example 64px_1-4_unique or 32px_1-3_train20000"
)

_NUMBER = "0|[1-9][0-9]*"  # no leading zeros: a number has one spelling
_NAME = re.compile(
  rf"(?P<size>{_NUMBER})px_(?P<min>{_NUMBER})-(?P<max>{_NUMBER})"
  rf"(?P<unique>_unique)?(?P<published>_published)?(?:_train(?P<train>{_NUMBER}))?"
  rf"(?:_validation(?P<validation>{_NUMBER}))?(?:_test(?P<test>{_NUMBER}))?"
  rf"(?:_seed(?P<seed>{_NUMBER}))?"
)


def spell(options: Options) -> str:
  """The shortest name of the config with these options: only what differs from the default."""
  other = _evaluation_count(options.train)
  words = [f"{options.size}px", f"{options.min_objects}-{options.max_objects}"]
  words += ["unique"] * options.unique + ["published"] * options.published
  words += [f"train{options.train}"] * (options.train != Options.train)
  words += [f"validation{options.validation}"] * (options.validation != other)
  words += [f"test{options.test}"] * (options.test != other)
  words += [f"seed{options.seed}"] * (options.seed != Options.seed)
  return "_".join(words)


def parse(name: str) -> Options:
  """The options a name spells.

  Validation and test have 10,000 scenes, or a tenth of train (at least one) where train is given.

  Raises:
    InputError: not a name; shows the grammar.
  """
  match = _NAME.fullmatch(name)
  if not match:
    raise InputError(f"multi_dsprites config {name!r} is not of the form {GRAMMAR}")
  given = {key: int(text) for key, text in match.groupdict().items() if text and text.isdigit()}
  train = given.get("train", Options.train)
  options = Options(
    size=given["size"],
    min_objects=given["min"],
    max_objects=given["max"],
    unique=match["unique"] is not None,
    published=match["published"] is not None,
    train=train,
    validation=given.get("validation", _evaluation_count(train)),
    test=given.get("test", _evaluation_count(train)),
    seed=given.get("seed", Options.seed),
  )
  _check(name, options)
  return options


def _evaluation_count(train: int) -> int:
  return Options.validation if train == Options.train else max(1, train // 10)


def _check(name: str, options: Options) -> None:
  sizes = 8 <= options.size <= MAX_SIZE
  objects = 1 <= options.min_objects <= options.max_objects <= MAX_OBJECTS
  counts = min(options.train, options.validation, options.test) >= 1
  if not (sizes and objects and counts):
    raise InputError(
      f"multi_dsprites config {name!r} is outside of {GRAMMAR}; every split has a scene"
    )
