"""Folders of pictures and masks of objects, as the published collector writes them."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._views import (
  STEP,
  largest_difference,
  legacy_mask,
  legacy_steps,
  prepared,
)


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """The view that the notes name, resized as published."""
  with prepared("object_folders/ithor", raw) as views:
    (name,) = (name for name in views.objects if name in case["notes"])
    shape = arrays["mask_legacy"].shape
    frame = views.frames(name)[-1]
    read = views.read(name, frame, ("image", "segmentation"), legacy_steps(shape, "grey"))
  mask = legacy_mask(read, "grey")
  found = {"image": read["image"][::STEP, ::STEP], "mask_legacy": mask[::STEP, ::STEP]}
  folders = sorted(path.name for path in raw.iterdir() if path.is_dir())
  return [
    Result("objects", float(views.objects != folders), 0.0),
    *(Result(key, largest_difference(found[key], array), 1e-6) for key, array in arrays.items()),
  ]
