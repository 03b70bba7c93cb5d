"""One frame of APC with its mask, and which scenes each split has."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._reading import difference, prepared

SPLITS = {"train": "train", "val": "validation", "test": "test"}


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `image<side>` and `mask<side>` of the frame that the case names."""
  key, results = case["example"], []
  scene = key.rpartition("/")[0]
  (split,) = (ours for name, ours in SPLITS.items() if scene in case["splits"][name])
  (image,) = (name for name in arrays if name.startswith("image"))
  (mask,) = (name for name in arrays if name.startswith("mask"))
  with prepared(f"apc/{len(arrays[image])}px", raw) as made:
    found = made.example(split, key, fields=("image", "segmentation"))
    results.append(difference(image, found["image"], arrays[image]))
    results.append(difference(mask, found["segmentation"][..., 0] * 255, arrays[mask]))
    for name, ours in SPLITS.items():
      scenes = {key.rpartition("/")[0] for key in made.keys(ours)}
      same = scenes == set(case["splits"][name])
      results.append(Result(f"scenes of {name}", float(not same), 0.0))
  return results
