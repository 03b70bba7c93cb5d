"""Records of the Multi-Object Datasets: as they are stored, and as GENESIS takes them in."""

import pathlib
import re

import numpy as np

from tests.golden.case import Result
from tests.golden.dataset_cases._ordered import in_order
from tests.golden.dataset_cases._reading import difference, prepared

CONFIGS = {
  "clevr": "clevr_with_masks",
  "objects_room_train": "objects_room",
  "objects_room_test_six_objects": "objects_room_six_objects",
  "objects_room_test_empty_room": "objects_room_empty_room",
  "objects_room_test_identical_color": "objects_room_identical_color",
}
CROP = 192  # of pictures that are not square


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """Arrays `<set>/...`: the first records of a file, all of which are in the test split."""
  del case
  results = []
  for name in dict.fromkeys(name.partition("/")[0] for name in arrays):
    with prepared(f"multi_objects/{CONFIGS.get(name, name)}", raw) as made:
      for field in (n.partition("/")[2] for n in arrays if n.startswith(f"{name}/")):
        expected = arrays[f"{name}/{field}"]
        found = _found(made, field, len(expected))
        results.append(difference(f"{name}/{field}", found, expected))
  return results


def _found(made, field: str, count: int) -> np.ndarray:
  published = re.fullmatch(r"genesis_(input|instances)_(\d+)", field)
  if published:
    return _as_published(made, published[1], int(published[2]), count)
  if field in ("image", "segmentation"):
    found = in_order(made, "test", (field,), count)[field]
    return found[..., 0] if field == "segmentation" else found
  return in_order(made, "test", (f"factors/{field}",), count)[f"factors/{field}"]


def _as_published(made, kind: str, side: int, count: int) -> np.ndarray:
  """[N, C, H, W]: float32 in [0, 1], or ids one above those of entities, 0 for backgrounds."""
  fields = ("image", "segmentation")
  height, width = in_order(made, "test", fields, count)["image"].shape[1:3]
  crop = [dict(name="centre_crop", height=CROP, width=CROP)] if height != width else []
  steps = (*crop, dict(name="resize", side=side, method="nearest"))
  read = in_order(made, "test", fields, count, steps)
  if kind == "input":
    return np.moveaxis(read["image"], -1, 1).astype(np.float32) / np.float32(255)
  ids = np.moveaxis(read["segmentation"], -1, 1)
  return np.where(np.isin(ids, made.examples("test", fields).about["background_ids"]), 0, ids + 1)
