"""Batches from examples: shuffled for training, in order and padded for evaluation."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grain
import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import (
  ArrayExamples,
  ConcatenatedExamples,
  Examples,
  GroupedExamples,
  SelectedExamples,
)
from objectcentric_jax.input.chunks import chunk as chunk_of
from objectcentric_jax.input.chunks import chunks_in
from objectcentric_jax.input.order import GroupedEpochs, ShuffledEpochs, draws

Batch = dict[str, np.ndarray]


def train_batches(
  examples: Examples,
  batch_size: int,
  seed: int,
  process: int = 0,
  processes: int = 1,
  workers: int = 0,
  threads: int = 2,
  chunk: int = 0,
  balanced: bool = False,
  lead: int = 0,
) -> grain.DatasetIterator:
  """Endless batches, reshuffled every epoch; position by `get_state` and `set_state`.

  The sequence of global batches depends on the seed alone: each process reads its own rows of
  every global batch, worker processes change only who reads them, and what is drawn for an example
  (a crop, the start of a clip) follows from the seed and the example's place in the sequence.

  Args:
    examples: what to read.
    batch_size: of the global batch.
    seed: of the shuffling and of what is drawn.
    process: this process's number, out of `processes`.
    workers: processes that read; examples in memory need none.
    threads: that read when there are no workers.
    chunk: frames of a batch, where consecutive batches are consecutive chunks of the same clips
      (see `objectcentric_jax.input.chunks`); 0 for whole examples.
    balanced: as many batches of each group, where examples have groups.
    lead: how often the first frame of a clip is shown in chunks before it.

  Raises:
    InputError: the batch does not divide among the processes or is larger than the split, or clips
      are no whole number of chunks.
  """
  if batch_size < 1 or batch_size % processes:
    raise InputError(
      f"config.data.batch_size {batch_size} does not divide by {processes} processes"
    )
  if seed < 0:
    raise InputError(f"config.seed is {seed}: at least 0 is needed")
  if batch_size > len(examples):
    raise InputError(
      f"config.data.batch_size {batch_size} is larger than the split "
      f"{examples.about['name']} {examples.about['split']} of {len(examples)} examples"
    )
  share = batch_size // processes
  own = slice(process * share, (process + 1) * share)
  in_memory = _in_memory(examples)
  options = grain.ReadOptions(num_threads=0 if in_memory else threads, prefetch_buffer_size=8)
  if examples.groups is None:
    order = ShuffledEpochs(len(examples), seed)
  else:
    order = _grouped(examples, batch_size, seed, balanced)

  def read(number):
    places = np.arange(number * batch_size, (number + 1) * batch_size)[own]
    indices = order(places)
    return examples.read(indices, draws(seed, places) if examples.random else None)

  if chunk or lead:
    read = _InChunks(read, examples, chunk, lead)
  numbers = grain.MapDataset.range(sys.maxsize // batch_size)
  batches = numbers.map(read).to_iter_dataset(options)
  if workers and not in_memory:
    batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
  return iter(batches)


def _grouped(examples: Examples, batch_size: int, seed: int, balanced: bool) -> GroupedEpochs:
  try:
    return GroupedEpochs(examples.groups, batch_size, seed, balanced)
  except ValueError as error:
    about = examples.about
    raise InputError(
      f"config.data.batch_size {batch_size}: {error} in {about['name']} {about['split']}"
    ) from None


class _InChunks:
  """Reads batches of clips chunk by chunk; the last clips are kept for the chunks to come."""

  def __init__(self, read: Callable[[int], Batch], examples: Examples, length: int, lead: int):
    first = examples.read(np.zeros(1, int))
    if "video" not in first:
      raise InputError(f"config.data.chunk is {length}, but config.data.fields has no video")
    self._read, self._length, self._lead = read, length, lead
    self._per_clip = chunks_in(first["video"].shape[1], length, lead)
    self._last: tuple[int, Batch] | None = None

  def __call__(self, number: int) -> Batch:
    clip, part = divmod(number, self._per_clip)
    last = self._last  # other threads may replace it
    if last is None or last[0] != clip:
      self._last = last = (clip, self._read(clip))
    return chunk_of(last[1], part, self._length, self._lead)

  def __getstate__(self):
    return {**self.__dict__, "_last": None}


def _in_memory(examples: Examples) -> bool:
  if isinstance(examples, ConcatenatedExamples):
    return all(_in_memory(part) for part in examples.parts)
  if isinstance(examples, SelectedExamples | GroupedExamples):
    return _in_memory(examples.examples)
  return isinstance(examples, ArrayExamples)


def evaluation_batches(
  examples: Examples, batch_size: int, count: int, process: int = 0, processes: int = 1
) -> Iterator[Batch]:
  """The first `count` examples in order (all with 0); the last batch is filled up.

  Where examples have groups each batch holds one of them, the last one of it filled up with others
  of the group. Every batch has `index` [B], the example's position in the split, and `valid` [B]
  bool, False in rows that only fill up.

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
  own = slice(process * share, (process + 1) * share)
  for indices, valid in _evaluation_rows(examples, batch_size, total):
    yield {**examples.read(indices[own]), "index": indices[own], "valid": valid[own]}


def _evaluation_rows(
  examples: Examples, batch_size: int, total: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Indices of each batch, and which of its rows count."""
  everything = np.arange(total, dtype=np.int32)
  if examples.groups is None:
    members, fillers = [everything], [everything[:1]]
  else:
    used, all_groups = examples.groups[:total], examples.groups
    members = [np.flatnonzero(used == group).astype(np.int32) for group in np.unique(used)]
    fillers = [np.flatnonzero(all_groups == all_groups[m[0]]).astype(np.int32) for m in members]
  for group, filler in zip(members, fillers, strict=True):
    for start in range(0, len(group), batch_size):
      rows = group[start : start + batch_size]
      missing = np.resize(filler, batch_size - len(rows))
      yield np.concatenate([rows, missing]), np.arange(batch_size) < len(rows)


def describe(examples: Examples) -> Mapping[str, Any]:
  """What is printed with every result: dataset, split, count, background labels, object counts."""
  return {"count": len(examples), **examples.about}
