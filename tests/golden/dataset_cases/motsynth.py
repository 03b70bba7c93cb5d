"""MOTSynth: one frame, cropped at two places, and its masks."""

import pathlib
import re

import numpy as np
from PIL import Image

from tests.golden.case import Result
from tests.golden.dataset_cases._reading import JPEG, difference, prepared

_FRAME = re.compile(r"frame (\d+) of sequence (\d+)")


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `k<offset>`: the square window at this column; `segmentation_s<n>`: every n-th pixel."""
  frame, sequence = _FRAME.search(case["notes"]).groups()
  with Image.open(raw / "frames" / sequence / "rgb" / f"{frame}.jpg") as image:
    rows = image.height
  results = []
  with prepared(f"motsynth/original_{sequence}_{rows}px", raw) as made:
    place = made.keys("train").index(f"{sequence}/{int(frame):06d}")
    for name, expected in arrays.items():
      if name.startswith("k"):
        window = dict(name="crop", top=0, left=int(name[1:]), height=rows, width=rows)
        resize = dict(name="resize", side=len(expected), method="pillow_bilinear")
        examples = made.examples("train", preprocess=(window, resize))
        found = examples.read(np.array([place]))["image"][0]
        results.append(difference(name, found, expected, JPEG))
      else:
        step = int(name.removeprefix("segmentation_s"))
        found = made.examples("train", ("segmentation",)).read(np.array([place]))
        ids = found["segmentation"][0, ::step, ::step, 0]
        results.append(difference(name, ids, expected))
  return results
