"""MOVi: whole videos by split and place in their files."""

import pathlib
import re

import numpy as np

from data.movi import files
from data.movi.names import Options
from data.raw.tfrecord import parse_example, read_records
from tests.golden.case import Result
from tests.golden.dataset_cases._reading import difference, prepared, read

# Of numbers that the case computes from 16-bit levels: what rounding to float32 may add.
ROUNDING = 1e-5
_ARRAY = re.compile(r"(\w+)_(\d+)/(\w+)")
FIELDS = {"num_instances": "num_objects"}  # all others are called the same


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `<split>_<place>/<field>`."""
  letter = next(raw.glob("movi_?")).name[-1]
  side = max(array.shape[1] for name, array in arrays.items() if name.endswith("/video"))
  wanted = [_ARRAY.fullmatch(name).groups() for name in arrays]
  fields = sorted({FIELDS.get(field, field) for _, _, field in wanted} | {"num_objects"})
  results = []
  with prepared(f"movi/{letter}_{side}px_depth", raw) as made:
    for (split, place, field), expected in zip(wanted, arrays.values(), strict=True):
      key = f"{split}/{_video_names(raw, Options(letter, side))[split][int(place)].zfill(6)}"
      example = read(made.examples(split, fields), made.keys(split).index(key))
      found = example[FIELDS.get(field, field)]
      if field == "bboxes":
        found = found[:, : example["num_objects"]]
      tolerance = ROUNDING if expected.dtype.kind == "f" else 0
      results.append(difference(f"{split}_{place}/{field}", found, expected, tolerance))
  return results


def _video_names(raw: pathlib.Path, options: Options) -> dict[str, list[str]]:
  """The names of the videos of every split, in the order of the published records."""
  shards = files.shards(files.find(raw, options), options)
  name = "metadata/video_name"
  return {
    split: [
      parse_example(record, path, only=(name,))[name][0].decode()
      for path in paths
      for record in read_records(path)
    ]
    for split, paths in shards.items()
  }
