"""Examples of a split in the order of their keys, as cases store them, and not shuffled."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.golden.dataset_cases._reading import Prepared


def in_order(
  made: Prepared,
  split: str,
  fields: Sequence[str],
  count: int,
  preprocess: Sequence[Mapping[str, Any]] = (),
) -> dict[str, np.ndarray]:
  """The first examples of a split by their keys, [count, ...] each field."""
  places = np.argsort(made.keys(split), kind="stable")[:count]
  return made.examples(split, fields, preprocess).read(places)
