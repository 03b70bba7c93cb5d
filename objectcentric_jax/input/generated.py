"""Made-up scenes of coloured rectangles, the same every time: shapes for smoke tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input import fields
from objectcentric_jax.input.arrays import ArrayExamples
from objectcentric_jax.input.preprocess import parse

GENERATED = "generated"  # dataset name of made-up scenes
STANDARD = ("image", "segmentation", "num_objects")
FIELDS = (
  *(*STANDARD, "video", "views", "mask", "masks", "amodal_masks", "bboxes", "visibility"),
  *("depth", *fields.FLOWS),
)


def made_up(config: Mapping[str, Any], split: str, count: int = 64) -> ArrayExamples:
  """Made-up scenes of the shapes and fields that a config leads to.

  They have the final size from the start, so that steps which cut a window of what is stored are
  left out; all others are taken.

  Args:
    config: `config.data`, see `objectcentric_jax.input.examples.open_split`.
    split: any name; scenes differ between splits.
    count: of the scenes.

  Raises:
    InputError: a field that made-up scenes do not have, or no size.
  """
  side, frames = config["side"], config["frames"]
  if not side:
    raise InputError("config.data.side is 0: made-up scenes need a size")
  preprocess = parse(config["preprocess"], side, frames)
  names = {} if preprocess.selection is None else preprocess.selection.renames
  asked = [(name.removesuffix("?"), "?" * name.endswith("?")) for name in config["fields"]]
  asked = [names.get(name, name) + optional for name, optional in asked]
  examples = generated(side, config["objects"], split, count, asked, frames)
  arrays = examples.arrays
  if preprocess.selection is not None and preprocess.selection.numbered:
    arrays = {**arrays, fields.SEQUENCE: np.zeros(count, np.int32)}  # clips of one video
  preprocess, about = preprocess.without_windows().adapted(examples.about)
  return ArrayExamples(arrays, about, preprocess)


def generated(
  side: int,
  objects: int,
  split: str,
  count: int = 64,
  names: Sequence[str] = STANDARD,
  frames: int = 0,
) -> ArrayExamples:
  """Makes scenes up; in those of several frames the rectangles move.

  Args:
    side: of the pictures.
    objects: most of a scene; the least is 1.
    split: any name; scenes differ between splits.
    count: of the scenes.
    names: the fields as a batch calls them, as in `config.data.fields`.
    frames: of a video, or views of a scene.

  Raises:
    InputError: a field that made-up scenes do not have.
  """
  names = fields.chosen(names, FIELDS, "made-up scenes")
  framed = "video" in names or "views" in names
  length = max(frames, 1) if framed else 1
  rng = np.random.default_rng([side, objects, *split.encode()])
  scenes = [_scene(rng, side, objects, length, names) for _ in range(count)]
  made = {name: np.stack([scene[name] for scene in scenes]) for name in scenes[0]}
  made = {n: a if framed or n == "num_objects" else a[:, 0] for n, a in made.items()}
  about = {"name": GENERATED, "split": split, "count": count, "source": GENERATED}
  about |= {"max_objects": objects}
  if "segmentation" in names:
    about |= {"labels": objects + 1, "background_ids": [0]}
  return ArrayExamples(made, about)


def _scene(
  rng: np.random.Generator, side: int, objects: int, length: int, names: Sequence[str]
) -> dict[str, np.ndarray]:
  """The fields of a scene, with an axis of frames wherever one belongs."""
  colours = np.empty((length, side, side, 3), np.uint8)
  colours[:] = rng.integers(0, 256, 3)
  ids = np.zeros((length, side, side, 1), np.uint8 if objects < 256 else np.uint16)
  corners = np.zeros((length, objects, 4), int)  # top, left, bottom, right
  present = int(rng.integers(1, objects + 1))
  for k in range(present):
    height, width = rng.integers(side // 8, side // 2, 2)
    top, left = rng.integers(0, side - height), rng.integers(0, side - width)
    colour = rng.integers(0, 256, 3)
    for t in range(length):
      row, column = (top + t) % (side - height), (left + t) % (side - width)
      corners[t, k] = row, column, row + height, column + width
      colours[t, row : row + height, column : column + width] = colour
      ids[t, row : row + height, column : column + width] = k + 1
  make = {
    **{name: lambda: colours for name in fields.COLOURS},
    "segmentation": lambda: ids,
    "num_objects": lambda: np.int32(present),
    "mask": lambda: 255 * (ids == 1).astype(np.uint8),
    "masks": lambda: 255 * _masks(ids, objects).astype(np.uint8),
    "amodal_masks": lambda: 255 * _insides(corners, side).astype(np.uint8),
    "bboxes": lambda: (corners / side).astype(np.float32),
    "visibility": lambda: _masks(ids, objects).sum((2, 3, 4)).astype(np.uint16),
    "depth": lambda: objects + 1 - ids.astype(np.float32),
    "forward_flow": lambda: np.repeat(ids > 0, 2, -1).astype(np.float32),
    "backward_flow": lambda: -np.repeat(ids > 0, 2, -1).astype(np.float32),
  }
  return {name: make[name]() for name in names}


def _masks(ids: np.ndarray, objects: int) -> np.ndarray:
  """Whether each id is seen, bool [T, K, H, W, 1]."""
  return ids[:, None] == np.arange(1, objects + 1).reshape(-1, 1, 1, 1)


def _insides(corners: np.ndarray, side: int) -> np.ndarray:
  """The pixels of whole rectangles [T, K, 4], bool [T, K, H, W, 1]."""
  top, left, bottom, right = np.moveaxis(corners[..., None, None, None], 2, 0)
  rows, columns = np.arange(side)[:, None, None], np.arange(side)[:, None]
  return (top <= rows) & (rows < bottom) & (left <= columns) & (columns < right)
