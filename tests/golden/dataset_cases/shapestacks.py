"""Towers of ShapeStacks from one camera: stored masks, and both as GENESIS takes them in."""

import pathlib
import re

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._reading import difference, prepared

SPLITS = {"train": "train", "eval": "validation", "test": "test"}
FIELDS = ("image", "segmentation", "label")


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `<scenario>/...` for the camera and the crop that the notes name."""
  camera = re.search(r"camera (\d+)", case["notes"])[1]
  crop = int(re.search(r"crop (\d+)", case["notes"])[1])
  scenarios = dict.fromkeys(name.rpartition("/")[0] for name in arrays)
  (lists,) = (folder.name for folder in (raw / "splits").iterdir())
  results = []
  with prepared(f"shapestacks/{lists}", raw) as made:
    for scenario in scenarios:
      split = _split(raw / "splits" / lists, scenario)
      (key,) = (k for k in made.keys(split) if k.startswith(scenario) and f"-cam_{camera}-" in k)
      expected = {n: arrays[f"{scenario}/{n}"] for n in ("segmentation", "instances64", "image64")}
      side = len(expected["image64"])
      steps = (
        dict(name="centre_crop", height=crop, width=crop),
        dict(name="resize", side=side, method="pillow_bilinear"),
      )
      whole = made.example(split, key, fields=FIELDS)
      small = made.example(split, key, fields=FIELDS, preprocess=steps)
      found = {
        "segmentation": whole["segmentation"][..., 0],
        "instances64": small["segmentation"][..., 0],
        "image64": small["image"],
      }
      results += [difference(f"{scenario}/{n}", found[n], array) for n, array in expected.items()]
      label = f"{scenario}/label"
      results.append(difference(label, whole["label"], arrays[label]))
  return results


def _split(lists: pathlib.Path, scenario: str) -> str:
  """The split whose list names a scenario."""
  (found,) = (
    split
    for name, split in SPLITS.items()
    if (lists / f"{name}.txt").is_file()
    and scenario in (lists / f"{name}.txt").read_text().split("\n")
  )
  return found
