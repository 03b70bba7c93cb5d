"""The frames of APC: which there are, to which split they belong, and what is stored of one.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import random
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data.building.png import encode_png
from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.raw_images import decode, decode_rgb, read_bytes
from objectcentric_jax.errors import InputError

EMPTY = "scene-empty"  # nothing in it, and no masks
_SEED = 0  # of the published order of scenes
_PICTURE = re.compile(r"(frame-([0-9]+))\.color\.png")
_MASK = re.compile(r"(frame-([0-9]+))\.mask\.png")
WHITE = 255


class Frame(NamedTuple):
  """One picture of a scene."""

  key: str
  image: Path
  mask: Path | None  # of an empty scene
  environment: str
  object_name: str
  number: int


def find(raw: Path) -> dict[str, list[Frame]]:
  """The frames of every split that has any, in the order of their paths.

  Scenes are shuffled with seed 0; the first tenth is for validation, the next for test.

  Raises:
    InputError: there is no scene, or no frame.
  """
  root = raw / "training" if (raw / "training").is_dir() else raw
  folders = (path for path in root.glob("*/*/scene-*") if path.is_dir())
  scenes = sorted(path.relative_to(root).as_posix() for path in folders)
  if not scenes:
    raise InputError(f"--from {raw} holds no scenes training/shelf|tote/OBJECT/scene-NNNN")
  random.Random(_SEED).shuffle(scenes)
  tenth = len(scenes) // 10
  splits = {
    "train": scenes[2 * tenth :],
    "validation": scenes[:tenth],
    "test": scenes[tenth : 2 * tenth],
  }
  found = {
    split: [frame for scene in sorted(names) for frame in _frames(root, scene)]
    for split, names in splits.items()
  }
  if not any(found.values()):
    raise InputError(f"--from {raw} holds no frames scene-NNNN/frame-NNNNNN.color.png")
  return {split: frames for split, frames in found.items() if frames}


def read_frame(frame: Frame, size: int) -> list[dict[str, Any]]:
  """A frame as it is stored: its middle, of `size` pixels a side.

  Raises:
    Damaged: the picture or its mask is missing or cannot be decoded, they differ in size, or the
      mask is not black and white.
  """
  pixels = decode_rgb(read_bytes(frame.image), frame.image)
  if frame.mask is None:
    mask = np.zeros((*pixels.shape[:2], 1), np.uint8)
  else:
    mask = _read_mask(frame, pixels.shape[:2])
  small = middle(mask, size, Image.Resampling.NEAREST)
  example = {
    "image": rgb_files.png(middle(pixels, size, Image.Resampling.BILINEAR)),
    "segmentation": encode_png((small == WHITE).astype(np.uint8)),
    "num_objects": int(frame.mask is not None),
    "metadata": {
      "key": frame.key,
      "environment": frame.environment,
      "object_name": frame.object_name,
      "frame": frame.number,
    },
  }
  return [example]


def middle(pixels: np.ndarray, size: int, filter: Image.Resampling) -> np.ndarray:
  """Resizes so that the short side has `size` pixels, then cuts the square in the middle.

  The long side is rounded down and the corner to even, as in torchvision.

  Args:
    pixels: uint8 [H, W, 3] or [H, W, 1].
    size: of both sides of what is returned.
    filter: Pillow's.
  """
  short = min(pixels.shape[:2])
  height, width = (size * side // short for side in pixels.shape[:2])
  resized = rgb_files.resize(pixels, (height, width), filter)
  top, left = round((height - size) / 2), round((width - size) / 2)
  return np.ascontiguousarray(resized[top : top + size, left : left + size])


def _frames(root: Path, scene: str) -> list[Frame]:
  folder = root / scene
  pictures = _named(folder, _PICTURE)
  has_masks = not folder.name.startswith(EMPTY)
  masks = _named(folder / "masks", _MASK) if has_masks else {}
  environment, object_name, _ = scene.split("/")
  return [
    Frame(
      key=f"{scene}/{name}",
      image=folder / f"{name}.color.png",
      mask=folder / "masks" / f"{name}.mask.png" if has_masks else None,
      environment=environment,
      object_name=object_name,
      number=number,
    )
    for name, number in sorted((pictures | masks).items())
  ]


def _named(folder: Path, pattern: re.Pattern) -> dict[str, int]:
  """Names and numbers of the frames that a folder has files of."""
  names = (pattern.fullmatch(path.name) for path in folder.iterdir()) if folder.is_dir() else ()
  return {name[1]: int(name[2]) for name in names if name}


def _read_mask(frame: Frame, size: tuple[int, int]) -> np.ndarray:
  mask = decode(read_bytes(frame.mask), frame.mask, ("PNG",))
  if mask.dtype != np.uint8 or mask.shape[2] != 1 or not np.isin(mask, (0, WHITE)).all():
    raise Damaged(frame.mask, "is no mask: it has other values than black and white")
  if mask.shape[:2] != size:
    found, expected = ("x".join(map(str, shape)) for shape in (mask.shape[:2], size))
    raise Damaged(frame.mask, f"has {found} pixels, but {frame.image} has {expected}")
  return mask
