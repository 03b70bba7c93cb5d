"""Batches from examples: shuffled for training, in order and padded for evaluation."""

from collections.abc import Iterator, Mapping
from typing import Any

import grain
import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.examples import ArrayExamples, Examples

Batch = dict[str, np.ndarray]


def train_batches(
  examples: Examples,
  batch_size: int,
  seed: int,
  process: int = 0,
  processes: int = 1,
  workers: int = 0,
  threads: int = 2,
) -> grain.DatasetIterator:
  """Endless batches, reshuffled every epoch; position by `get_state` and `set_state`.

  The sequence of global batches depends on the seed alone: each process reads its own rows of
  every global batch, and worker processes change only who reads them.

  Args:
    examples: what to read.
    batch_size: of the global batch.
    seed: of the shuffling.
    process: this process's number, out of `processes`.
    workers: processes that read; examples in memory need none.
    threads: that read when there are no workers.

  Raises:
    InputError: the batch does not divide among the processes or is larger than the split.
  """
  if batch_size < 1 or batch_size % processes:
    raise InputError(
      f"config.data.batch_size {batch_size} does not divide by {processes} processes"
    )
  if batch_size > len(examples):
    raise InputError(
      f"config.data.batch_size {batch_size} is larger than the split "
      f"{examples.about['name']} {examples.about['split']} of {len(examples)} examples"
    )
  share = batch_size // processes
  own = slice(process * share, (process + 1) * share)
  in_memory = isinstance(examples, ArrayExamples)
  options = grain.ReadOptions(num_threads=0 if in_memory else threads, prefetch_buffer_size=8)
  order = grain.MapDataset.range(len(examples)).seed(seed).shuffle().repeat().batch(batch_size)
  batches = order.map(lambda indices: examples.read(indices[own])).to_iter_dataset(options)
  if workers and not in_memory:
    batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
  return iter(batches)


def evaluation_batches(
  examples: Examples, batch_size: int, count: int, process: int = 0, processes: int = 1
) -> Iterator[Batch]:
  """The first `count` examples in order (all with 0); the last batch is filled up.

  Every batch has `index` [B], the example's position in the split, and `valid` [B] bool, False in
  rows that only fill up.

  Raises:
    InputError: the split has fewer examples, or the batch does not divide among the processes.
  """
  total = count or len(examples)
  if total > len(examples):
    about = examples.about
    raise InputError(
      f"config.eval.images is {total}, but {about['name']} {about['split']} has {len(examples)}"
    )
  if batch_size % processes:
    raise InputError(
      f"config.eval.batch_size {batch_size} does not divide by {processes} processes"
    )
  share = batch_size // processes
  for start in range(0, total, batch_size):
    indices = np.arange(start, start + batch_size)[process * share : (process + 1) * share]
    valid = indices < total
    indices = np.where(valid, indices, 0).astype(np.int32)
    yield {**examples.read(indices), "index": indices, "valid": valid}


def describe(examples: Examples) -> Mapping[str, Any]:
  """What is printed with every result: dataset, split, count, background labels, object counts."""
  return {"count": len(examples), **examples.about}
