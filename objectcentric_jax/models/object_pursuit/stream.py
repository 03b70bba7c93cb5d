"""The stream of objects: in which order they arrive, and who comes again.

As `object_pursuit/data_selector.py` of pptrick/Object-Pursuit makes it. Standard library only.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from objectcentric_jax.errors import InputError

ORDERS = ("sequence", "random", "sorted")


class Arrival(NamedTuple):
  """One object that arrives; the pursuit is not told its name.

  Attributes:
    round: its place in the stream, from 1.
    name: of the object, for the journal and for what is scored afterwards.
    visit: how often it came before.
  """

  round: int
  name: str
  visit: int


def stream(
  names: Sequence[str],
  order: str = "sequence",
  seed: int = 1,
  repeat_every: int = 7,
  limit: int = 0,
) -> list[Arrival]:
  """The arrivals of a pursuit.

  Args:
    names: of the objects; their order here does not matter, except for "sorted".
    order: "sequence" for the published shuffle of the sorted names, which depends on the seed
      alone; "random" for a shuffle by Python's present algorithm; "sorted" for the names as given.
    seed: of either shuffle.
    repeat_every: after so many objects an earlier one comes again; 0 for never.
    limit: of arrivals, repeats included; 0 for none.

  Raises:
    InputError: an unknown order.
  """
  if order not in ORDERS:
    raise InputError(f"config.pursuit.order is {order!r}: choose one of {', '.join(ORDERS)}")
  if order == "sorted":
    names = list(names)
  elif order == "random":
    names = random.Random(seed).sample(sorted(names), len(names))
  else:
    names = shuffled(sorted(names), seed)
  if repeat_every:
    names = with_repeats(names, repeat_every)
  return arrivals(names[:limit] if limit else names)


def arrivals(names: Sequence[str]) -> list[Arrival]:
  """Objects in this order, a name again for every later visit."""
  return [Arrival(i + 1, name, list(names[:i]).count(name)) for i, name in enumerate(names)]


def shuffled(names: Sequence[str], seed: int) -> list[str]:
  """The shuffle of Python up to 3.10 with a function that draws from [0, 1).

  From the last place down, each name changes places with one that is not behind it.
  """
  names, draw = list(names), random.Random(seed).random
  for last in range(len(names) - 1, 0, -1):
    other = int(draw() * (last + 1))
    names[last], names[other] = names[other], names[last]
  return names


def with_repeats(names: Sequence[str], every: int) -> list[str]:
  """The names with a second visit after each `every` of them: of the first of these.

  The published code fails where the number of names is a multiple of `every`.
  """
  groups = (list(names[start : start + every]) for start in range(0, len(names), every))
  return [
    name for group in groups for name in (group + group[:1] if len(group) == every else group)
  ]
