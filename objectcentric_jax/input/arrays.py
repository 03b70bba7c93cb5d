"""Examples by index: what every source of them offers, and those that are held in memory."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.preprocess import Preprocess
from objectcentric_jax.input.step import Rng


class Examples(Protocol):
  """Random access to the examples of a split.

  Attributes:
    about: what they are, for messages and results: name, split, count, `labels` (number of
      segmentation ids), `background_ids`, `max_objects` and where they came from.
    random: whether reading draws, so that `read` is to be given generators.
    groups: [N], where the examples of a batch must be of one group; else None.
  """

  about: Mapping[str, Any]
  random: bool
  groups: np.ndarray | None

  def __len__(self) -> int: ...

  def read(self, indices: np.ndarray, rngs: Sequence[Rng] | None = None) -> dict[str, np.ndarray]:
    """Examples at these indices, stacked, by field.

    Args:
      indices: [N].
      rngs: a generator each, for what is drawn; without, what evaluation does.
    """
    ...


class ArrayExamples:
  """Examples held in memory, read by vectorised indexing; see `Examples`."""

  groups = None

  def __init__(
    self,
    arrays: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
    preprocess: Preprocess | None = None,
  ):
    """Holds arrays.

    Args:
      arrays: by field, all of one length.
      about: see `Examples`.
      preprocess: steps still to be taken when they are read.
    """
    self.arrays, self.about = dict(arrays), about
    self._preprocess = preprocess
    self.random = preprocess is not None and preprocess.random

  def __len__(self) -> int:
    return len(next(iter(self.arrays.values())))

  def read(self, indices: np.ndarray, rngs: Sequence[Rng] | None = None) -> dict[str, np.ndarray]:
    """See `Examples`."""
    chosen = {name: array[indices] for name, array in self.arrays.items()}
    if self._preprocess is None:
      return chosen
    if rngs is None and self._preprocess.batched:
      return dict(self._preprocess(chosen))
    singles = [{name: array[i] for name, array in chosen.items()} for i in range(len(indices))]
    return finished(self._preprocess, singles, rngs)


class ConcatenatedExamples:
  """The examples of several sources, one after the other; see `Examples`."""

  groups = None

  def __init__(self, parts: Sequence[Examples]):
    self.parts = list(parts)
    self._ends = np.cumsum([len(part) for part in self.parts])
    self.about = {**self.parts[0].about, "count": len(self)}
    self.random = any(part.random for part in self.parts)

  def __len__(self) -> int:
    return int(self._ends[-1])

  def read(self, indices: np.ndarray, rngs: Sequence[Rng] | None = None) -> dict[str, np.ndarray]:
    """See `Examples`."""
    indices = np.asarray(indices)
    owner = np.searchsorted(self._ends, indices, side="right")
    rows: list[dict[str, np.ndarray]] = [{}] * len(indices)
    for number in np.unique(owner):
      places = np.flatnonzero(owner == number)
      inside = indices[places] - (self._ends[number] - len(self.parts[number]))
      own = None if rngs is None else [rngs[place] for place in places]
      read = self.parts[number].read(inside, own)
      for row, place in enumerate(places):
        rows[place] = {name: array[row] for name, array in read.items()}
    return stacked(rows)


class SelectedExamples:
  """Some examples of a source, in the order of their indices there; see `Examples`."""

  groups = None

  def __init__(self, examples: Examples, indices: np.ndarray):
    """Selects; `indices` are places among `examples`, of which one may come several times."""
    self.examples, self.indices = examples, np.asarray(indices, int)
    self.about = {**examples.about, "count": len(self)}
    self.random = examples.random

  def __len__(self) -> int:
    return len(self.indices)

  def read(self, indices: np.ndarray, rngs: Sequence[Rng] | None = None) -> dict[str, np.ndarray]:
    """See `Examples`."""
    return self.examples.read(self.indices[np.asarray(indices)], rngs)


class GroupedExamples:
  """Examples of which a batch must hold one group each; see `Examples`.

  Batches get a field that says which group it is.
  """

  def __init__(self, examples: Examples, groups: np.ndarray, field: str):
    """Groups examples.

    Args:
      examples: all of them.
      groups: [N] int32, of each.
      field: what the groups are called in a batch.
    """
    self.examples, self.groups, self._field = examples, np.asarray(groups, np.int32), field
    self.about, self.random = examples.about, examples.random

  def __len__(self) -> int:
    return len(self.examples)

  def read(self, indices: np.ndarray, rngs: Sequence[Rng] | None = None) -> dict[str, np.ndarray]:
    """See `Examples`."""
    return {**self.examples.read(indices, rngs), self._field: self.groups[np.asarray(indices)]}


def finished(
  preprocess: Preprocess, examples: Sequence[Mapping[str, np.ndarray]], rngs: Sequence[Rng] | None
) -> dict[str, np.ndarray]:
  """Takes examples through the steps one by one and stacks them."""
  draws = [None] * len(examples) if rngs is None else rngs
  return stacked([preprocess(e, rng) for e, rng in zip(examples, draws, strict=True)])


def stacked(examples: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
  """One array a field.

  Raises:
    InputError: examples differ in shape.
  """
  result = {}
  for name in examples[0]:
    arrays = [example[name] for example in examples]
    shapes = sorted({np.shape(array) for array in arrays})
    if len(shapes) > 1:
      raise InputError(
        f"config.data.preprocess leaves {name} of different shapes, such as {shapes[0]} and "
        f"{shapes[-1]}: pictures need a resize, and videos a clip, to one size"
      )
    result[name] = np.stack(arrays)
  return result
