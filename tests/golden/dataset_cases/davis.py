"""DAVIS 2016 and 2017: crops resized as published, and ids as they are."""

import contextlib
import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._views import (
  JPEG_TOLERANCE,
  STEP,
  PreparedViews,
  largest_difference,
  legacy_mask,
  legacy_steps,
  number_after,
  prepared,
)

MASK_KINDS = {"2016": "grey", "2017": "palette"}


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Every array is named SEQUENCE/biasOFFSET/{image,mask_legacy} or SEQUENCE/segmentation_sSTEP.

  The notes name the frame of the crops; the ids are those of the first frame.
  """
  frame = number_after("frame", case["notes"])
  results = []
  with contextlib.ExitStack() as stack:
    years = {
      year: stack.enter_context(prepared(f"davis/{year}", raw / f"DAVIS{year}"))
      for year in MASK_KINDS
    }
    for key, expected in arrays.items():
      sequence, *what = key.split("/")
      (year,) = (year for year, views in years.items() if sequence in views.objects)
      found = _read(years[year], MASK_KINDS[year], sequence, frame, what, expected.shape)
      tolerance = {"image": JPEG_TOLERANCE, "mask_legacy": 1e-6}.get(what[-1], 0.0)
      results.append(Result(key, largest_difference(found, expected), tolerance))
  return results


def _read(views: PreparedViews, kind: str, sequence: str, frame: int, what, shape) -> np.ndarray:
  if len(what) == 1:
    step = int(what[0].removeprefix("segmentation_s"))
    ids = views.read(sequence, views.frames(sequence)[0], ("segmentation",))["segmentation"][..., 0]
    return ids[::step, ::step]
  offset = int(what[0].removeprefix("bias"))
  height, width = views.read(sequence, frame, ("image",))["image"].shape[:2]
  side = min(height, width)
  top, left = (offset, 0) if height > width else (0, offset)
  crop = {"name": "crop", "top": top, "left": left, "height": side, "width": side}
  steps = [crop, *legacy_steps(shape, kind)]
  read = views.read(sequence, frame, ("image", "segmentation"), steps)
  picture = read["image"] if what[1] == "image" else legacy_mask(read, kind)
  return picture[::STEP, ::STEP]
