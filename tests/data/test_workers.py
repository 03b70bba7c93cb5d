"""Worker processes: order, errors, and what they load."""

import os
import sys

import pytest

from data.building.workers import ordered_map


def square(number):
  return number * number


def refuse(number):
  if number == 5:
    raise ValueError(f"not {number}")
  return number


def loaded_modules(names):
  import data.multi_dsprites.drawing  # noqa: F401 (what the workers of a build import)

  print("what a function prints does not disturb the results")
  return os.getpid(), sorted({name.partition(".")[0] for name in sys.modules} & set(names))


def loaded_by_readers(names):
  import data.raw.damage
  import data.raw.raw_images  # noqa: F401

  return sorted({name.partition(".")[0] for name in sys.modules} & set(names))


def leave(_):
  os._exit(3)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_results_come_in_order(processes):
  assert list(ordered_map(square, range(20), processes)) == [n * n for n in range(20)]
  assert list(ordered_map(square, [], processes)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_an_exception_comes_after_the_results_before_it(processes):
  results = ordered_map(refuse, range(10), processes)
  assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
  with pytest.raises(ValueError, match="not 5"):
    next(results)


def test_a_lost_process_is_an_error():
  with pytest.raises(ChildProcessError, match="status 3"):
    list(ordered_map(leave, range(4), 2))


def test_workers_load_neither_jax_nor_tfds():
  names = ["jax", "tensorflow_datasets", "tensorflow", "flax"]
  (process, found), *_ = ordered_map(loaded_modules, [[*names, "numpy"]], 2)
  assert process != os.getpid()
  assert found == ["numpy"]


def test_readers_of_raw_files_load_neither_jax_nor_tfds():
  names = ["jax", "tensorflow_datasets", "tensorflow", "flax"]
  assert next(ordered_map(loaded_by_readers, [[*names, "PIL"], []], 2)) == ["PIL"]
