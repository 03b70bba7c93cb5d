"""Grand Central Station: clips of the training split, cropped and resized."""

import pathlib

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._reading import difference, prepared, read

SIDE = 240  # of the published crops


def preprocess(height: int) -> tuple[dict, ...]:
  """Clips, cut to the published squares of pictures of this height and resized."""
  half = height // 2
  places = (
    *((half // 2, 0), (half // 2 + half, 0), (0, half), (half, half)),
    *((2 * half, half), (0, half // 2), (half, half // 2), (2 * half, half // 2)),
  )
  corners = tuple((top, left) for left, top in places)
  return (
    dict(name="clip", length=10, stride=8, starts="all"),
    dict(name="crop_each", corners=corners, height=SIDE, width=SIDE),
    dict(name="resize", side=128, method="pillow_bilinear"),
  )


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Every clip `train_<index>`, the index being that of the published order."""
  with prepared("grand_central", raw) as made:
    height = made.examples("train").read(np.zeros(1, int))["image"].shape[1]
    examples = made.examples("train", preprocess=preprocess(height))
    starts = len(examples) // 8
    results = []
    for name, expected in arrays.items():
      # Published clips leave a stride behind their last frame, so that there are fewer starts.
      crop, start = divmod(int(name.removeprefix("train_")), case["num_starts"])
      found = read(examples, crop * starts + start)["video"]
      results.append(difference(name, found, expected))
    return results
