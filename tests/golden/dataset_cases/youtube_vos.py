"""YouTube-VOS: which videos have one object that is marked often enough."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._views import prepared


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """The names of the videos, and that every frame marked in them is there."""
  del case
  expected = sorted(arrays["selected"].tolist())
  with prepared("youtube_vos/single", raw) as views:
    missing = [
      frame
      for name in views.objects
      for frame in raw.glob(f"**/Annotations/{name}/*.png")
      if int(frame.stem) not in views.frames(name)
    ]
  return [
    Result("selected", float(views.objects != expected), 0.0),
    Result("frames missing", float(len(missing)), 0.0),
  ]
