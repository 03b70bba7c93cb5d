"""What sets that are drawn here share: sizes of splits, sources of chance, batches of work.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")  # also their numbers in the seed of a scene


@dataclasses.dataclass(frozen=True)
class Splits:
  """How many scenes a set has; its options derive from this."""

  train: int = 50_000
  validation: int = 10_000
  test: int = 10_000
  seed: int = 0

  def count(self, split: str) -> int:
    """How many scenes `split` has."""
    return getattr(self, split)


def source_of_chance(seed: int, split: str, index: int) -> np.random.Generator:
  """The generator of one scene, so that it can be drawn alone."""
  return np.random.default_rng([seed, SPLITS.index(split), index])


@dataclasses.dataclass(frozen=True)
class Batch:
  """Scenes `start` to `stop` of a split, the task of a worker process."""

  draw: Callable[..., dict[str, Any]]  # (options, split, index) -> the stored example, no key
  options: Splits
  split: str
  start: int
  stop: int


def draw_batch(batch: Batch) -> list[dict[str, Any]]:
  """The stored examples of a batch, without keys."""
  indices = range(batch.start, batch.stop)
  return [batch.draw(batch.options, batch.split, index) for index in indices]


def padded(rows, count: int, dtype) -> np.ndarray:
  """The rows [n, ...] and zeros up to `count` rows."""
  rows = np.asarray(rows, dtype)
  return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), dtype)])
