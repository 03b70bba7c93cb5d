"""Squares cut from one frame of Sketchy, and which episodes each split has."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._reading import JPEG, difference, prepared

SPLITS = {"train": "train", "valid": "validation", "test": "test"}  # in the order of numbers


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `<view>_<crop>` of the first time step of the episode that the case names."""
  every = [episode for split in SPLITS for episode in case["splits"][split]]
  number = every.index(case["example"])
  (split,) = (ours for name, ours in SPLITS.items() if case["example"] in case["splits"][name])
  results = []
  with prepared("sketchy/128px_all", raw) as made:
    for name, expected in arrays.items():
      found = made.example(split, f"/ep{number:06d}_t000_{name}")["image"]
      results.append(difference(name, found, expected, JPEG))
    for name, ours in SPLITS.items():
      episodes = sorted({int(key[2:8]) for key in made.keys(ours)})
      same = episodes == [every.index(episode) for episode in case["splits"][name]]
      results.append(Result(f"episodes of {name}", float(not same), 0.0))
  return results
