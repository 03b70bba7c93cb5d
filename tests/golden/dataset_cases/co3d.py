"""CO3D: soft masks and depths as they are."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._views import largest_difference, prepared

PLACES = ("first", "second", "third")  # as the notes call a frame


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Every array is named SEQUENCE/{mask,depth}."""
  (place,) = (i for i, word in enumerate(PLACES) if f"{word} frame" in case["notes"])
  results = []
  with prepared("co3d/all_depth", raw) as views:
    for key, expected in arrays.items():
      sequence, field = key.split("/")
      (name,) = (name for name in views.objects if name.endswith(f"/{sequence}"))
      found = views.read(name, views.frames(name)[place], (field,))[field][..., 0]
      found = found / np.float32(255) if field == "mask" else found
      results.append(Result(key, largest_difference(found, expected), 1e-6))
  return results
