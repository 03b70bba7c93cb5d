"""Several sets as one: shares, constants, and what is drawn."""

import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples
from objectcentric_jax.input.mixture import MixedExamples, open_mixture


def part(name, count):
  about = {"name": name, "split": "train", "labels": 3, "max_objects": len(name), "side": name}
  return ArrayExamples({"number": np.arange(count)}, about)


def mixed(training):
  parts = [part("a", 60), part("bb", 20)]
  return MixedExamples(parts, (1.0, 3.0), ({}, {"static": 1.0}), training)


def test_weights_are_shares_of_all_examples():
  examples = mixed(training=False)
  examples._constants = [{"set": 0.0}, {"set": 1.0}]
  read = examples.read(np.arange(len(examples)))
  assert len(examples) == 80 and (read["set"] == 1).sum() == 60
  assert read["number"][20:60].tolist() == list(range(20)) * 2
  assert read["set"].dtype == np.float32


def test_only_what_all_sets_have_in_common_is_said():
  about = mixed(training=False).about
  expected = {"name": "a+bb", "split": "train", "labels": 3, "max_objects": 2, "count": 80}
  assert about == expected


def test_training_draws_the_example_of_the_set():
  examples = mixed(training=True)
  rngs = lambda seed: [np.random.default_rng((seed, i)) for i in range(20)]  # noqa: E731
  examples._constants = [{}, {}]
  first, again, other = (examples.read(np.arange(20), rngs(s))["number"] for s in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any() and first.max() > 20


def test_sets_are_opened_with_their_own_steps():
  seen = []

  def open_one(config):
    seen.append((config["name"], config["preprocess"]))
    return part(config["name"], 4)

  mixture = (dict(name="a", weight=1.0), dict(name="b", weight=1.0, preprocess=("own",)))
  open_mixture({"mixture": mixture, "preprocess": ("common",), "name": ""}, False, open_one)
  assert seen == [("a", ("common",)), ("b", ("own",))]


@pytest.mark.parametrize(
  ("described", "words"),
  [
    (dict(name="a"), r"config.data.mixture\[0\] lacks weight"),
    (dict(name="a", weight=0.0), r"weight is 0.0: more than 0"),
    (dict(name="a", weight=1.0, wieght=2.0), r"mixture\[0\].wieght is unknown"),
  ],
)
def test_wrong_fields_are_named(described, words):
  with pytest.raises(InputError, match=words):
    open_mixture({"mixture": (described,), "preprocess": ()}, False, lambda config: part("a", 1))
