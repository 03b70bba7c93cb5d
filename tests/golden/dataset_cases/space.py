"""OBJ3D with its boxes, and Atari pictures as SPACE takes them in."""

import pathlib
import re

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._reading import difference, prepared, read

RESIZE = (dict(name="resize", side=128, method="pillow_bilinear"),)
SPLITS = {"train": "train", "val": "validation", "test": "test"}
_OBJ3D = re.compile(r"(train|val|test)([0-9]+)/(image|bboxes)")
_ATARI = re.compile(r"ATARI/([\w-]+/\w+/\w+)\.png")  # in the notes
BOX_TOLERANCE = 1e-6


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `<split><place>/...` of OBJ3D, and the picture of Atari that the notes name."""
  variant = next(raw.glob("OBJ3D_*")).name.removeprefix("OBJ3D_").lower()
  return _obj3d(arrays, raw, variant) + _atari(case, arrays, raw)


def _obj3d(arrays, raw, variant) -> list[Result]:
  results = []
  with prepared(f"obj3d/{variant}", raw) as made:
    for name, expected in arrays.items():
      match = _OBJ3D.fullmatch(name)
      if not match:
        continue
      split, place, field = match.groups()
      fields = ("image", "bboxes", "num_objects")
      example = read(made.examples(SPLITS[split], fields, RESIZE), int(place))
      found = example[field]
      if field == "bboxes":
        found = found[: example["num_objects"]]
      tolerance = BOX_TOLERANCE if field == "bboxes" else 0
      results.append(difference(name, found, expected, tolerance))
  return results


def _atari(case, arrays, raw) -> list[Result]:
  key = _ATARI.search(case["notes"])[1]
  with prepared("atari/all", raw) as made:
    # Stored as published, whichever order its channels have.
    example = made.example(key.split("/")[1], key, preprocess=RESIZE)
  return [difference("atari/input", example["image"], arrays["atari/input"])]
