"""Batches of views of one object: their order, which views they are, and those that are scored."""

import ml_collections
import numpy as np
import pytest

from configs import sections
from objectcentric_jax.errors import InputError
from objectcentric_jax.input import objects
from objectcentric_jax.input.arrays import ArrayExamples, GroupedExamples, SelectedExamples
from objectcentric_jax.input.order import GroupedEpochs
from objectcentric_jax.input.pipeline import evaluation_batches, train_batches

GROUPS = np.array([0] * 7 + [1] * 4 + [2] * 2)


def grouped(groups=GROUPS):
  numbers = {"number": np.arange(len(groups))}
  return GroupedExamples(ArrayExamples(numbers, {"name": "n", "split": "s"}), groups, "object")


def test_an_epoch_has_every_whole_batch_of_every_group():
  order = GroupedEpochs(GROUPS, 2, seed=0)
  length = 6 + 4 + 2
  for epoch in range(3):
    places = np.arange(epoch * length, (epoch + 1) * length)
    indices = order(places).reshape(-1, 2)
    assert (GROUPS[indices[:, 0]] == GROUPS[indices[:, 1]]).all()
    assert len(np.unique(indices)) == length
    assert list(np.bincount(GROUPS[indices[:, 0]])) == [3, 2, 1]
  first, second = order(np.arange(length)), order(np.arange(length, 2 * length))
  assert (first != second).any()


def test_balanced_epochs_have_as_many_batches_of_each_group():
  order = GroupedEpochs(GROUPS, 2, seed=0, balanced=True)
  indices = order(np.arange(6)).reshape(-1, 2)
  assert sorted(GROUPS[indices[:, 0]]) == [0, 1, 2]


def test_groups_too_small_for_a_batch_are_left_out_and_none_is_an_error():
  order = GroupedEpochs(GROUPS, 4, seed=0)
  assert set(GROUPS[order(np.arange(16))]) == {0, 1}
  with pytest.raises(InputError, match="config.data.batch_size 8: of no group there are 8"):
    train_batches(grouped(), 8, seed=0)


def test_training_batches_say_which_object_they_are_of():
  batches = train_batches(grouped(), 2, seed=0)
  for _ in range(8):
    batch = next(batches)
    assert len(set(batch["object"])) == 1
    np.testing.assert_array_equal(GROUPS[batch["number"]], batch["object"])


@pytest.mark.parametrize("count", [0, 9])
def test_scored_batches_hold_one_object_and_are_filled_up_with_it(count):
  batches = list(evaluation_batches(grouped(), 4, count))
  seen = np.concatenate([batch["index"][batch["valid"]] for batch in batches])
  np.testing.assert_array_equal(seen, np.arange(count or len(GROUPS)))
  for batch in batches:
    assert len(batch["number"]) == 4 and len(set(batch["object"])) == 1
    np.testing.assert_array_equal(GROUPS[batch["index"]], batch["object"])


def data(**by_object) -> ml_collections.ConfigDict:
  config = sections.base().data
  config.name, config.split = "set", "train"
  config.by_object.update(use=True, **by_object)
  return config


@pytest.fixture
def two_objects(monkeypatch):
  """Ten views of a cup and six of a dog, instead of a prepared set."""
  views = ArrayExamples({"number": np.arange(16)}, {"name": "set", "split": "train"})
  chosen = {
    "cup": SelectedExamples(views, np.arange(10)),
    "dog": SelectedExamples(views, np.arange(10, 16)),
  }
  monkeypatch.setattr(objects, "open_objects", lambda *_: dict(chosen))


def numbers(config, split="train", training=False):
  examples = objects.open_by_object(config, split, training)
  return examples.read(np.arange(len(examples)))["number"], examples


def test_views_that_are_held_out_are_scored_and_not_trained_with(two_objects):
  for seed in (0, 3):
    config = data(held_out=0.25, seed=seed)
    trained, _ = numbers(config, training=True)
    scored, examples = numbers(config)
    assert sorted([*trained, *scored]) == list(range(16))
    assert list(np.bincount(examples.groups)) == [2, 2]
  everything, _ = numbers(data(held_out=0.25), split="test")
  np.testing.assert_array_equal(everything, np.arange(16))


def test_a_few_views_are_repeated_to_the_length_of_an_epoch(two_objects):
  trained, examples = numbers(data(shots=2, held_out=0.1), training=True)
  np.testing.assert_array_equal(trained, [0, 1] * 5 + [10, 11] * 3)
  assert examples.about["objects"] == ["cup", "dog"]
  scored, _ = numbers(data(shots=2, held_out=0.1))
  np.testing.assert_array_equal(scored, [*range(2, 10), *range(12, 16)])
  drawn = {tuple(sorted(set(numbers(data(shots=2, seed=s), training=True)[0]))) for s in range(6)}
  assert len(drawn) > 3


def test_objects_are_chosen_and_numbered_by_name(two_objects):
  found, examples = numbers(data(only=("dog", "cup")))
  assert list(found[:6]) == list(range(10, 16)) and set(examples.groups[:6]) == {0}
  with pytest.raises(InputError, match="no object 'dgo' .did you mean dog.*it has cup, dog"):
    numbers(data(only=("dgo",)))


def test_several_sets_are_joined_and_equal_names_stay_apart(two_objects):
  config = data()
  config.name = "set+other"
  found, examples = numbers(config)
  assert examples.about["objects"] == ["cup", "dog", "cup 2", "dog 2"]
  assert len(found) == 32 and list(np.unique(examples.groups)) == [0, 1, 2, 3]
