"""The examples of one split, read by index: from prepared records, or made up for smoke tests."""

import concurrent.futures
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.preprocess import resize_nearest

FIELDS = ("image", "segmentation", "num_objects")
RESIZED = ("image", "segmentation")
GENERATED = "generated"  # dataset name of made-up scenes
_CHUNK = 256  # records decoded at a time


class Examples(Protocol):
  """Random access to the examples of a split.

  `about` says what they are, for messages and results: name, split, count, `labels` (number of
  segmentation ids), `background_ids`, `max_objects` and where they came from.
  """

  about: Mapping[str, Any]

  def __len__(self) -> int: ...

  def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Examples at these indices, stacked: image [N, S, S, 3] uint8, segmentation, num_objects."""
    ...


class ArrayExamples:
  """Examples held in memory, read by vectorised indexing."""

  def __init__(self, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]):
    self.arrays, self.about = dict(arrays), about

  def __len__(self) -> int:
    return len(self.arrays["image"])

  def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[indices] for name, array in self.arrays.items()}


class RecordExamples:
  """Examples decoded from the shards as they are asked for; can be sent to worker processes."""

  def __init__(self, directory: Path, split: str, side: int, about: Mapping[str, Any]):
    self.directory, self.split, self.side, self.about = directory, split, side, about
    self._open()

  def _open(self):
    import tensorflow_datasets as tfds  # slow to import, and only needed here

    builder = tfds.builder_from_directory(str(self.directory))
    if self.split.partition("[")[0] not in builder.info.splits:
      known = ", ".join(builder.info.splits)
      raise InputError(f"dataset {self.directory} has no split {self.split!r}; it has {known}")
    try:
      self._records = builder.as_data_source(split=self.split).data_source
    except ValueError as error:
      reason = str(error).partition("\n")[0]
      raise InputError(
        f"dataset {self.directory}: no examples in split {self.split!r}: {reason}"
      ) from None
    # Data sources cannot decode a part of an example; a part of its features can.
    stored = builder.info.features
    self._features = tfds.features.FeaturesDict({n: stored[n] for n in FIELDS if n in stored})

  def __getstate__(self):
    return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

  def __setstate__(self, state):
    self.__dict__.update(state)
    self._open()

  def __len__(self) -> int:
    return len(self._records)

  def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
    stored = self._records.__getitems__([int(i) for i in indices])
    examples = [self._features.deserialize_example_np(record) for record in stored]
    stacked = {name: np.stack([e[name] for e in examples]) for name in examples[0]}
    return {
      name: resize_nearest(array, self.side) if name in RESIZED else array
      for name, array in stacked.items()
    }

  def example_bytes(self) -> int:
    """Size of one decoded example."""
    return sum(array.nbytes for array in self.read(np.zeros(1, int)).values())

  def in_memory(self) -> ArrayExamples:
    """All examples decoded once, by as many threads as there are cores."""
    chunks = [range(i, min(i + _CHUNK, len(self))) for i in range(0, len(self), _CHUNK)]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
      parts = list(pool.map(self.read, chunks))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return ArrayExamples(arrays, self.about)


def open_split(config: Mapping[str, Any], split: str) -> Examples:
  """Opens a split of the dataset that `config.data` names, after checking its files.

  Args:
    config: `config.data`: `name`, `directory` ("" for the default place), `side` (images are
      resized to it), `memory` (GiB up to which a split is decoded once and kept) and, for made-up
      scenes, `objects` (how many).
    split: "train", "validation", "test", or a part such as "test[:300]".

  Raises:
    InputError: the dataset is not prepared or damaged, or has no such split.
  """
  if config["name"] == GENERATED:
    return generated(config["side"], config["objects"], split)
  directory = records.find(config["name"], records.data_root(config["directory"]))
  records.verify(directory)
  about = {"name": config["name"], "split": split, **records.metadata(directory)}
  examples = RecordExamples(directory, split, config["side"], about)
  about["count"] = len(examples)
  if len(examples) * examples.example_bytes() <= config["memory"] * 2**30:
    return examples.in_memory()
  return examples


def generated(side: int, objects: int, split: str, count: int = 64) -> ArrayExamples:
  """Made-up scenes of coloured rectangles, the same every time: shapes for smoke tests."""
  rng = np.random.default_rng([side, objects, *split.encode()])
  image = np.zeros((count, side, side, 3), np.uint8)
  image[:] = rng.integers(0, 256, (count, 1, 1, 3))
  segmentation = np.zeros((count, side, side, 1), np.uint8)
  num_objects = rng.integers(1, objects + 1, count).astype(np.int32)
  for i in range(count):
    for label in range(1, num_objects[i] + 1):
      height, width = rng.integers(side // 8, side // 2, 2)
      top, left = rng.integers(0, side - height), rng.integers(0, side - width)
      image[i, top : top + height, left : left + width] = rng.integers(0, 256, 3)
      segmentation[i, top : top + height, left : left + width] = label
  about = {"name": GENERATED, "split": split, "count": count, "source": GENERATED}
  about |= {"labels": objects + 1, "background_ids": [0], "max_objects": objects}
  arrays = {"image": image, "segmentation": segmentation, "num_objects": num_objects}
  return ArrayExamples(arrays, about)
