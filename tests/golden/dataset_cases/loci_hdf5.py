"""Loci's HDF5: frames by their place in the file, the sequences one after the other."""

import pathlib
import re

import numpy as np

from data.loci_hdf5.names import SPLITS
from tests.golden.case import Result
from tests.golden.dataset_cases._reading import JPEG, difference, prepared, read

FIELDS = ("video", "depth?", "mask?", "amodal_masks?")
_FILE = re.compile(rf"(.+)-({'|'.join(SPLITS)})-\d+x\d+.*\.hdf5")
_ARRAY = re.compile(r"frame(\d+)/(rgb|depth|fg|masks)")


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `frame<place>/...` of the one file in the folder."""
  name, split = _FILE.fullmatch(next(raw.glob("*.hdf5")).name).groups()
  with prepared(f"loci_hdf5/{name}_amodal_foreground", raw) as made:
    examples = made.examples(SPLITS[split], FIELDS)
    order = np.argsort(made.keys(SPLITS[split]))
    sequences = [read(examples, int(place)) for place in order]
  joined = {
    field: np.concatenate([sequence[field] for sequence in sequences]) for field in sequences[0]
  }
  results = []
  for array, expected in arrays.items():
    place, kind = _ARRAY.fullmatch(array).groups()
    if kind == "rgb":
      results.append(difference(array, joined["video"][int(place)], expected, JPEG))
    elif kind == "depth":
      levels = (joined["depth"][int(place), ..., 0] * 255).round().astype(np.uint8)
      results.append(difference(array, levels, expected))
    elif kind == "fg":
      results.append(difference(array, joined["mask"][int(place), ..., 0], expected))
    else:
      masks = joined["amodal_masks"][int(place), : len(expected), ..., 0]
      results.append(difference(array, masks, expected))
  return results
