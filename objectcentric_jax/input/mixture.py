"""Several datasets as one, each with a weight.

From `config.data.mixture`, a tuple of dicts; all other fields of `config.data` hold for each set:

  name       the dataset, as in config.data.name
  weight     its share of the examples, relative to the others
  preprocess steps in place of those of config.data (optional)
  constants  {name: number} that each of its examples gets as a field (optional)

The sets together have as many examples as they would have one after the other. In training each
draws which of its own it is; in evaluation they come in order, from the start again if they must.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import Examples, stacked
from objectcentric_jax.input.step import Rng

FIELDS = ("name", "weight", "preprocess", "constants")


class MixedExamples:
  """Examples of several sets; see `objectcentric_jax.input.arrays.Examples`."""

  groups = None

  def __init__(
    self,
    parts: Sequence[Examples],
    weights: Sequence[float],
    constants: Sequence[Mapping[str, float]],
    training: bool,
  ):
    """Mixes sets.

    Args:
      parts: the sets.
      weights: of each, above 0.
      constants: of each, numbers by field.
      training: whether an example's place in its set is drawn.
    """
    self.parts, self._constants = list(parts), list(constants)
    shares = np.asarray(weights, float) / np.sum(weights)
    total = sum(len(part) for part in parts)
    self._ends = np.cumsum([max(1, int(total * share)) for share in shares])
    self._training = self.random = training
    self.about = _common([part.about for part in parts]) | {"count": len(self)}

  def __len__(self) -> int:
    return int(self._ends[-1])

  def read(self, indices: np.ndarray, rngs: Sequence[Rng] | None = None) -> dict[str, np.ndarray]:
    """See `Examples`."""
    rows = []
    for row, index in enumerate(np.asarray(indices)):
      rng = None if rngs is None else rngs[row]
      number = int(np.searchsorted(self._ends, index, side="right"))
      part = self.parts[number]
      start = self._ends[number - 1] if number else 0
      place = (index - start) % len(part) if rng is None else rng.integers(len(part))
      draws = [rng] if rng is not None and part.random else None
      read = part.read(np.array([place]), draws)
      example = {name: array[0] for name, array in read.items()}
      constants = self._constants[number].items()
      rows.append(example | {name: np.float32(value) for name, value in constants})
    return stacked(rows)


def _common(abouts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  """What is true of all sets: the same entries, and the most labels and objects of any."""
  first, *others = abouts
  common = {n: v for n, v in first.items() if all(about.get(n) == v for about in others)}
  for name in ("labels", "max_objects"):
    if all(name in about for about in abouts):
      common[name] = max(about[name] for about in abouts)
  names = "+".join(about["name"] for about in abouts)
  return common | {"name": names, "split": first["split"]}


def open_mixture(
  config: Mapping[str, Any],
  training: bool,
  open_one: Callable[[Mapping[str, Any]], Examples],
) -> MixedExamples:
  """Opens every set of `config.data.mixture`.

  Args:
    config: `config.data`.
    training: whether random steps draw.
    open_one: opens a set for a config that names it.

  Raises:
    InputError: a field is missing, unknown, or has a value that cannot be used.
  """
  parts, weights, constants = [], [], []
  for i, described in enumerate(config["mixture"]):
    where = f"config.data.mixture[{i}]"
    for field in described:
      if field not in FIELDS:
        raise InputError(f"{where}.{field} is unknown; there are: {', '.join(FIELDS)}")
    for field in FIELDS[:2]:
      if field not in described:
        raise InputError(f"{where} lacks {field}")
    if described["weight"] <= 0:
      raise InputError(f"{where}.weight is {described['weight']}: more than 0 is needed")
    steps = described.get("preprocess", config["preprocess"])
    parts.append(open_one({**config, "name": described["name"], "preprocess": steps}))
    weights.append(described["weight"])
    constants.append(described.get("constants", {}))
  return MixedExamples(parts, weights, constants, training)
