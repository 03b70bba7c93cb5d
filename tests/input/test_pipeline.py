"""Batches: the same every time, each example once an epoch, and from any position on."""

import itertools
import json

import numpy as np
import pytest

from configs import sections
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples
from objectcentric_jax.input.pipeline import describe, evaluation_batches, train_batches
from tests.conftest import SMALL_SET


def numbered(count=20):
  """Examples whose image is their own number."""
  arrays = {"image": np.arange(count)[:, None, None, None], "num_objects": np.arange(count)}
  return ArrayExamples(arrays, {"name": "numbers", "split": "train"})


def numbers(batches, count):
  return [batch["num_objects"].tolist() for batch in itertools.islice(batches, count)]


def streamed(small_set, split="train"):
  from objectcentric_jax.input.examples import RecordExamples, open_split

  config = sections.base().data.to_dict()
  config |= {"name": f"multi_dsprites/{SMALL_SET}", "directory": str(small_set), "side": 32}
  examples = open_split(config | {"memory": 0.0, "objects": 3}, split)
  assert isinstance(examples, RecordExamples)
  return examples


def test_the_seed_alone_decides_the_order():
  first = numbers(train_batches(numbered(), 4, seed=0), 30)
  assert numbers(train_batches(numbered(), 4, seed=0, threads=7), 30) == first
  assert numbers(train_batches(numbered(), 4, seed=1), 30) != first


@pytest.mark.parametrize("batch_size", [4, 6, 20])
def test_every_epoch_has_every_example_once_in_an_order_of_its_own(batch_size):
  batches = numbers(train_batches(numbered(), batch_size, seed=0), 60 // batch_size)
  sequence = list(itertools.chain(*batches))
  epochs = [sequence[i : i + 20] for i in range(0, 60, 20)]
  assert [sorted(epoch) for epoch in epochs] == [list(range(20))] * 3
  assert len({tuple(epoch) for epoch in [*epochs, range(20)]}) == 4


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_every_global_batch(processes):
  whole = numbers(train_batches(numbered(), 6, seed=3), 12)
  parts = [
    numbers(train_batches(numbered(), 6, 3, process, processes), 12) for process in range(processes)
  ]
  assert [list(itertools.chain(*rows)) for rows in zip(*parts, strict=True)] == whole


def test_goes_on_from_a_position():
  batches = train_batches(numbered(), 6, seed=0)
  numbers(batches, 7)
  position = json.loads(json.dumps(batches.get_state()))
  rest = numbers(batches, 10)
  other = train_batches(numbered(), 6, seed=0)
  numbers(other, 2)
  other.set_state(position)
  assert numbers(other, 10) == rest
  batches.set_state(position)
  assert numbers(batches, 10) == rest


def test_worker_processes_change_nothing(small_set):
  examples = streamed(small_set)
  alone = train_batches(examples, 8, seed=0, workers=0)
  shared = train_batches(examples, 8, seed=0, workers=2)
  try:
    for expected, found in itertools.islice(zip(alone, shared, strict=True), 9):
      assert set(found) == set(expected)
      for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    position = json.loads(json.dumps(shared.get_state()))
    rest = [batch["image"] for batch in itertools.islice(alone, 5)]
    next(shared)
    shared.set_state(position)
    for expected, found in zip(rest, shared, strict=False):
      np.testing.assert_array_equal(found["image"], expected)
  finally:
    shared.close()
    alone.close()


def test_streaming_equals_memory(small_set):
  examples = streamed(small_set)
  memory = examples.in_memory()
  assert len(memory) == len(examples) == 40
  for found, expected, _ in zip(
    train_batches(memory, 8, seed=0), train_batches(examples, 8, seed=0), range(11), strict=False
  ):
    for name, value in expected.items():
      assert found[name].dtype == value.dtype
      np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize(
  ("arguments", "words"),
  [
    ({"batch_size": 21}, "batch_size 21 is larger than the split numbers train of 20 examples"),
    ({"batch_size": 0}, "config.data.batch_size 0"),
    ({"batch_size": 4, "seed": -1}, "config.seed is -1"),
    ({"batch_size": 5, "processes": 2}, "config.data.batch_size 5 does not divide by 2 processes"),
  ],
)
def test_unusable_batch_sizes_are_named(arguments, words):
  with pytest.raises(InputError, match=words):
    train_batches(numbered(), **{"seed": 0, **arguments})


@pytest.mark.parametrize(("count", "total"), [(0, 20), (17, 17), (8, 8), (1, 1)])
@pytest.mark.parametrize("processes", [1, 2])
def test_evaluation_is_in_order_and_filled_up(count, total, processes):
  parts = [
    list(evaluation_batches(numbered(), 8, count, process, processes))
    for process in range(processes)
  ]
  batches = [
    {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    for rows in zip(*parts, strict=True)
  ]
  assert all(batch["image"].shape == (8, 1, 1, 1) for batch in batches)
  assert len(batches) == -(-total // 8)
  valid = np.concatenate([batch["valid"] for batch in batches])
  index = np.concatenate([batch["index"] for batch in batches])
  images = np.concatenate([batch["image"] for batch in batches]).ravel()
  assert valid.dtype == bool and index.dtype == np.int32
  assert index[valid].tolist() == images[valid].tolist() == list(range(total))
  np.testing.assert_array_equal(images, index)


def test_more_evaluation_than_there_is_is_refused():
  with pytest.raises(InputError, match="config.eval.images is 21, but numbers train has 20"):
    list(evaluation_batches(numbered(), 8, 21))
  with pytest.raises(InputError, match="config.eval.batch_size 7 does not divide by 2"):
    list(evaluation_batches(numbered(), 7, 0, 0, 2))


def test_description_has_the_count():
  assert describe(numbered()) == {"name": "numbers", "split": "train", "count": 20}
