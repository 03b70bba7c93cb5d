"""Scenes of a set of the review, from either of its formats."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._ordered import in_order
from tests.golden.dataset_cases._reading import difference, prepared

SPLITS = {"valid": "validation", "general": "generalization"}  # the others are called alike


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `<split>/image` and `<split>/segmentation`: the first scenes of a split."""
  del case
  (name,) = (path.stem for path in raw.iterdir() if path.suffix == ".h5" or path.is_dir())
  results = []
  with prepared(f"review/{name}", raw) as made:
    for key, expected in arrays.items():
      split, field = key.split("/")
      found = in_order(made, SPLITS.get(split, split), (field,), len(expected))[field]
      found = found[..., 0] if field == "segmentation" else found
      results.append(difference(key, found, expected))
  return results
