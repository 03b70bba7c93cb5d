"""One picture of a ShapeStacks scenario, and what is stored of it.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.building.png import encode_png
from data.raw.damage import Damaged
from data.raw.frames import Like, read_picture
from data.raw.raw_images import decode, read_bytes

MOST_OBJECTS = 6
LABELS = 8  # background, MOST_OBJECTS, and 7 for pixels that the renderer gave to none
_STEP = 256 // LABELS  # of the grey values that stand for labels


class Scenario(NamedTuple):
  """A tower."""

  name: str
  height: int  # objects
  stable: bool


class View(NamedTuple):
  """One picture of a tower."""

  key: str
  scenario: Scenario
  image: Path
  mask: Path | None  # None: is not converted
  camera: int
  walls: int  # numbers of textures
  floor: int
  lighting: int
  colours: str
  like: Like | None  # gives the size


def read_view(view: View) -> list[dict[str, Any]]:
  """A picture as it is stored.

  Raises:
    Damaged: the picture or its mask is missing or cannot be decoded, or not of the right size or
      values.
  """
  example = {
    "image": read_picture(view.image, view.like),
    "num_objects": view.scenario.height,
    "label": int(not view.scenario.stable),
    "metadata": {
      "key": view.key,
      "scenario": view.scenario.name,
      "camera": view.camera,
      "walls": view.walls,
      "floor": view.floor,
      "lighting": view.lighting,
      "colours": view.colours,
    },
  }
  if view.mask is not None:
    example["segmentation"] = encode_png(read_labels(view.mask, view.like))
  return [example]


def read_labels(path: Path, like: Like) -> np.ndarray:
  """The labels in a `.map` file, uint8 [H, W, 1]: a PNG whose grey values are 32 times a label.

  Raises:
    Damaged: the file is missing or cannot be decoded, has colours or other values, or not the size
      of `like`.
  """
  pixels = decode(read_bytes(path), path, ("PNG",))
  colours = pixels[..., : pixels.shape[2] - (pixels.shape[2] + 1) % 2]  # no transparency
  grey = colours[..., :1]
  if pixels.dtype != np.uint8 or (colours != grey).any() or (grey % _STEP).any():
    raise Damaged(path, f"is no map of labels: its values are not greys that {_STEP} divides")
  if grey.shape[:2] != like.size:
    found, expected = ("x".join(map(str, size)) for size in (grey.shape[:2], like.size))
    raise Damaged(path, f"has {found} pixels, but {like.path} has {expected}")
  return np.ascontiguousarray(grey // _STEP)
