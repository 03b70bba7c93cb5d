"""The stream of objects: its order and its second visits."""

import random

import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit.stream import Arrival, shuffled, stream

NAMES = [f"o{number:03d}" for number in range(14)]


def names(*arguments, **options):
  return [arrival.name for arrival in stream(*arguments, **options)]


def test_the_shuffle_depends_on_the_seed_alone():
  order = names(NAMES, repeat_every=0)
  assert order == names(NAMES[::-1], repeat_every=0) == shuffled(NAMES, 1)
  assert sorted(order) == NAMES and order != names(NAMES, repeat_every=0, seed=2)
  # Each swap takes one draw: the last place goes to the name that the first draw points at.
  assert order[-1] == NAMES[int(random.Random(1).random() * 14)]
  drawn = names(NAMES, "random", 3, 0)
  assert sorted(drawn) == NAMES and drawn == names(NAMES[::-1], "random", 3, 0) != order
  assert names(["b", "a"], "sorted", repeat_every=0) == ["b", "a"]


def test_every_seventh_object_is_followed_by_an_earlier_one():
  order = names(NAMES, repeat_every=0)
  found = stream(NAMES)  # a number that the published code fails at
  expected = [*order[:7], order[0], *order[7:], order[7]]
  assert [arrival.name for arrival in found] == expected
  assert [arrival.round for arrival in found] == list(range(1, 17))
  assert [arrival.round for arrival in found if arrival.visit] == [8, 16]
  assert found[7] == Arrival(8, order[0], 1)


def test_the_limit_counts_second_visits():
  order = names(NAMES)
  assert names(NAMES, limit=9) == order[:9]
  assert names(NAMES[:2], repeat_every=1, limit=3) == [names(NAMES[:2], repeat_every=0)[0]] * 2 + [
    names(NAMES[:2], repeat_every=0)[1]
  ]
  assert stream([]) == []


def test_unknown_orders_are_named():
  with pytest.raises(InputError, match="config.pursuit.order is 'sideways': choose one of sequen"):
    stream(NAMES, "sideways")
