"""Scenes of GQN: their views and the seven numbers of each camera."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._ordered import in_order
from tests.golden.dataset_cases._reading import JPEG, difference, prepared

CAMERA = 1e-6  # float32 sines and cosines


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `<split>/views` and `<split>/camera`: the first scenes of a split."""
  del case
  (version,) = (folder.name for folder in raw.iterdir() if folder.is_dir())
  results = []
  with prepared(f"gqn/{version}", raw) as made:
    for name, expected in arrays.items():
      split, field = name.split("/")
      found = in_order(made, split, (field,), len(expected))[field]
      results.append(difference(name, found, expected, JPEG if field == "views" else CAMERA))
  return results
