"""The examples of one split, read by index: from prepared records, or made up for smoke tests."""

import concurrent.futures
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from objectcentric_jax.input import clips, fields
from objectcentric_jax.input.arrays import (
  ArrayExamples,
  ConcatenatedExamples,
  Examples,
  finished,
  stacked,
)
from objectcentric_jax.input.generated import GENERATED, made_up
from objectcentric_jax.input.mixture import open_mixture
from objectcentric_jax.input.preprocess import Preprocess, parse
from objectcentric_jax.input.step import Rng
from objectcentric_jax.input.stored import LONG_SEQUENCES, StoredSplit

_CHUNK = 256  # examples decoded at a time
_SEGMENTATION_METADATA = ("labels", "background_ids")


class RecordExamples:
  """Examples decoded from the shards as they are asked for; see `Examples`.

  Can be sent to worker processes.
  """

  groups = None

  def __init__(
    self,
    stored: StoredSplit,
    preprocess: Preprocess,
    metadata: Mapping[str, Any],
    about: Mapping[str, Any],
    objects: tuple[int, int] = (0, 0),
    training: bool = False,
  ):
    """Chooses the examples of a split.

    Args:
      stored: the split.
      preprocess: what happens to its examples.
      metadata: of the set.
      about: see `Examples`.
      objects: fewest and most objects of the examples that are kept; 0 for no limit.
      training: whether what is random is drawn.

    Raises:
      InputError: nothing is left of it, or the steps cannot be taken.
    """
    self._stored, self._training = stored, training
    self._joined = LONG_SEQUENCES in metadata
    kept = stored.within(*objects)
    self._preprocess, about = preprocess.adapted(_described(about, stored.names, objects))
    choice = preprocess.selection
    if choice is None:
      self._places = clips.videos(kept, None)
    else:
      counted = choice.needs_lengths(training)
      self._places = stored.sequences(metadata, kept, counted)
    self._select()
    self.about = {**about, "count": len(self)}
    self.random = training and (self._selection.random or self._preprocess.random)

  def _select(self):
    choice = self._preprocess.selection
    if choice is None:
      self._selection = clips.whole(self._places.first)
      return
    try:
      self._selection = choice.select(self._places, self._training)
    except ValueError as error:
      raise InputError(f"config.data.preprocess: {self._stored.directory}: {error}") from None

  def __getstate__(self):
    return {name: value for name, value in self.__dict__.items() if name != "_selection"}

  def __setstate__(self, state):
    self.__dict__.update(state)
    self._select()

  def __len__(self) -> int:
    return self._selection.count

  def read(self, indices: np.ndarray, rngs: Sequence[Rng] | None = None) -> dict[str, np.ndarray]:
    """See `Examples`."""
    return self._read(indices, rngs, self._preprocess)

  def in_memory(self) -> ArrayExamples:
    """All examples decoded once, by as many threads as there are cores.

    Steps up to the first random one are taken now, the others whenever an example is read.
    """
    first, rest = self._now_and_later()
    chunks = [range(i, min(i + _CHUNK, len(self))) for i in range(0, len(self), _CHUNK)]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
      parts = list(pool.map(lambda chunk: self._read(chunk, None, first), chunks))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return ArrayExamples(arrays, self.about, rest)

  def memory_bytes(self) -> float:
    """What `in_memory` would hold; infinite where examples differ in shape or frames are drawn."""
    first, later = self._now_and_later()
    drawn = self._training and self._selection.random
    ragged = later is not None and self._stored.sizes_differ()
    if self._preprocess.selection is None:
      ragged = ragged or self._stored.lengths_differ()
    if drawn or ragged:
      return float("inf")
    one = self._read(np.zeros(1, int), None, first)
    return len(self) * sum(array.nbytes for array in one.values())

  def _now_and_later(self) -> tuple[Preprocess, Preprocess | None]:
    return self._preprocess.split() if self.random else (self._preprocess, None)

  def _read(self, indices, rngs, preprocess: Preprocess) -> dict[str, np.ndarray]:
    draws = [None] * len(indices) if rngs is None else rngs
    examples = [self._selection.cuts(int(i), rng) for i, rng in zip(indices, draws, strict=True)]
    content = iter(self._stored.records([cut.record for cuts in examples for cut in cuts]))
    decode = self._stored.decode
    examples = [
      self._whole_example([decode(next(content), cut.frames) for cut in cuts], cuts[0].record)
      for cuts in examples
    ]
    if rngs is None and preprocess.batched and not self._stored.sizes_differ():
      return dict(preprocess(stacked(examples)))
    return finished(preprocess, examples, rngs)

  def _whole_example(
    self, parts: Sequence[Mapping[str, np.ndarray]], record: int
  ) -> dict[str, np.ndarray]:
    """An example from what its records, of which this is the first, give to it."""
    choice, stored = self._preprocess.selection, self._stored.decode.fields
    if choice is None:
      return dict(parts[0])
    example = {}
    for name, field in stored.items():
      arrays = [part[name] for part in parts]
      if field.framed:
        array = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        array = array[0] if choice.single else array
      elif self._joined and not choice.single:
        array = np.stack(arrays)
      else:
        array = arrays[0]
      example[choice.renames.get(name, name)] = array
    if choice.numbered:
      example[fields.SEQUENCE] = np.asarray(self._places.number_of(record), np.int32)
    return example


def open_split(config: Mapping[str, Any], split: str, training: bool = False) -> Examples:
  """Opens a split of the dataset that `config.data` names, after checking its files.

  Args:
    config: `config.data`: `name`, or `mixture` (see `objectcentric_jax.input.mixture`), `directory`
      ("" for the default place), `fields`, `preprocess`, `side` and `frames` (of the pictures and
      videos that come out; 0 for any), `min_objects` and `max_objects` (of the scenes that are
      kept), `memory` (GiB up to which a split is decoded once and kept) and, for made-up scenes,
      `objects` (how many).
    split: "train", "validation", "test", a part such as "test[:300]", or several joined by "+".
    training: whether random steps draw; otherwise they do the one thing they do in evaluation.

  Raises:
    InputError: the dataset is not prepared or damaged, or has no such split or field, or the steps
      do not lead to the sizes that the config states.
  """
  if config["mixture"] and config["name"] != GENERATED:
    single = lambda one: open_split({**one, "mixture": ()}, split, training)  # noqa: E731
    return open_mixture(config, training, single)
  if config["name"] == GENERATED:
    return made_up(config, split)
  side, frames = config["side"], config["frames"]
  preprocess = parse(config["preprocess"], side, frames)
  directory = records.find(config["name"], records.data_root(config["directory"]))
  records.verify(directory)
  metadata = records.metadata(directory)
  about = {name: value for name, value in metadata.items() if name != LONG_SEQUENCES}
  about = {"name": config["name"], "split": split, **about, "side": side}
  if config["preprocess"]:
    about["preprocess"] = [dict(step) for step in config["preprocess"]]
  stored = StoredSplit(directory, split, config["fields"], metadata.get("max_objects"))
  objects = config["min_objects"], config["max_objects"]
  parts = [
    RecordExamples(stored, variant, metadata, about, objects, training)
    for variant in preprocess.variants()
  ]
  if sum(part.memory_bytes() for part in parts) <= config["memory"] * 2**30:
    parts = [part.in_memory() for part in parts]
  examples = parts[0] if len(parts) == 1 else ConcatenatedExamples(parts)
  _check_sizes(examples, side, frames)
  return examples


def _described(
  about: Mapping[str, Any], names: Sequence[str], objects: tuple[int, int]
) -> Mapping[str, Any]:
  """What is said of the examples, given the fields that are read and which are kept."""
  described = dict(about)
  if "segmentation" not in names:
    for name in _SEGMENTATION_METADATA:
      described.pop(name, None)
  least, most = objects
  if least or most:
    described["objects"] = f"{least} to {most or 'any'}"
    if most and "max_objects" in described:
      described["max_objects"] = min(most, described["max_objects"])
  return described


def _check_sizes(examples: Examples, side: int, frames: int) -> None:
  """InputError unless the examples have the sizes that the config states."""
  read = examples.read(np.zeros(1, int))
  for name in (*fields.COLOURS, *fields.IDS):
    if name in read and side and read[name].shape[-3:-1] != (side, side):
      height, width = read[name].shape[-3:-1]
      raise InputError(
        f"config.data.preprocess leaves {name} of {height}x{width} pixels, but config.data.side is "
        f"{side}; make them agree (side 0 accepts any size)"
      )
  if frames and "video" in read and read["video"].shape[1] != frames:
    raise InputError(
      f"config.data.preprocess leaves videos of {read['video'].shape[1]} frames, but "
      f"config.data.frames is {frames}; make them agree (frames 0 accepts any number)"
    )
