"""Contact sheets of prepared sets: the first examples, and what is known of them as pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image, ImageDraw
from tensorflow_datasets.core import example_parser

from data.raw.raw_images import STORED, decode_mask, decode_rgb
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.grid import grid
from objectcentric_jax.plots.scene import PALETTE, colour_labels

ROWS, COLUMNS = 3, 8  # of examples; a video or a scene of several views takes a row
CELL = (96, 192)  # least and most pixels of the longer side of a picture on the sheet
FRAMED = ("video", "views")
# Fields that are drawn, and what they are drawn as.
KINDS = {
  "image": "colours",
  "video": "colours",
  "views": "colours",
  "segmentation": "labels",
  "mask": "grey",
  "depth": "depth",
  "forward_flow": "flow",
}


def contact_sheet(directory: Path, split: str) -> np.ndarray:
  """The first examples of a split, uint8 [h, w, 3].

  Stills stand side by side, what is known of them below; a video or several views take a row of
  frames, evenly spaced. Boxes are drawn into the pictures. Backgrounds of segmentations are black,
  near is bright in depth, and the colour of flow is its direction.

  Args:
    directory: version directory of a prepared set.
    split: one of its splits.

  Raises:
    InputError: the set has no such split, or no pictures.
  """
  builder = tfds.builder_from_directory(directory)
  if split not in builder.info.splits:
    raise InputError(f"--split {split}: {directory} has {', '.join(builder.info.splits)}")
  drawn = [name for name in KINDS if name in builder.info.features]
  if not drawn or KINDS[drawn[0]] != "colours":
    raise InputError(f"{directory} has no pictures to show")
  framed = drawn[0] in FRAMED
  wanted = (*drawn, *(["bboxes"] if "bboxes" in builder.info.features else []))
  background_ids = records.metadata(directory).get("background_ids", [0])
  stored = builder.as_data_source(split).data_source
  count = min(len(stored), ROWS if framed else ROWS * COLUMNS)
  read = _reader(builder.info.features, wanted)
  columns = [_column(read(stored[i]), drawn, background_ids, framed) for i in range(count)]
  height, width = np.max([cell.shape[:2] for column in columns for cell in column[0]], axis=0)
  rows, labels = [], []
  groups = [[c] for c in columns] if framed else list(_groups(columns, COLUMNS))
  for group in groups:
    for number, name in enumerate(drawn):
      cells = [cell for column in group for cell in column[number]]
      rows.append([_centred(cell, height, width) for cell in cells])
      labels.append(name.replace("_", "\n"))
  breaks = range(len(drawn), len(rows), len(drawn))
  return grid(rows, labels if len(drawn) > 1 else (), scale=1, row_breaks=breaks)


def _groups(items: Sequence[Any], size: int):
  return (items[start : start + size] for start in range(0, len(items), size))


def _reader(features: Any, names: Sequence[str]) -> Callable[[bytes], dict[str, Any]]:
  """Parses stored examples: picture files as they are, the rest as arrays."""
  chosen = tfds.features.FeaturesDict({name: features[name] for name in names})
  parser = example_parser.ExampleParserNp(chosen.get_serialized_info())

  def read(record):
    raw = parser.parse_example(record)
    return {
      name: raw[name] if _holds_files(chosen[name]) else chosen[name].decode_example_np(raw[name])
      for name in names
    }

  return read


def _holds_files(feature: Any) -> bool:
  return isinstance(getattr(feature, "feature", feature), tfds.features.Image)


def _column(
  example: Mapping[str, Any], drawn: Sequence[str], background_ids: Sequence[int], framed: bool
) -> list[list[np.ndarray]]:
  """The cells of an example, a list for every field: one, or one a frame that is shown."""
  if not framed:
    frames, example = [0], {name: [value] for name, value in example.items()}
  else:
    frames = _spaced(len(example[drawn[0]]))
  cells = []
  for name in drawn:
    pictures = [_pixels(example[name][frame], KINDS[name]) for frame in frames]
    cells.append([_fit(p) for p in _DRAW[KINDS[name]](pictures, background_ids)])
  if "bboxes" in example:
    boxes = [example["bboxes"][frame] for frame in frames]
    cells[0] = [_with_boxes(*pair) for pair in zip(cells[0], boxes, strict=True)]
  return cells


def _spaced(count: int) -> np.ndarray:
  """At most COLUMNS of `count` frames, evenly spaced from the first to the last."""
  return np.unique(np.linspace(0, count - 1, min(count, COLUMNS)).round().astype(int))


def _pixels(stored: Any, kind: str) -> np.ndarray:
  """[H, W, C] of a stored picture file, or the array it is."""
  if not isinstance(stored, bytes):
    return np.asarray(stored)
  return (decode_rgb if kind == "colours" else decode_mask)(stored, "a record", STORED)


def _draw_colours(pictures, background_ids):
  return [np.repeat(p, 3, -1) if p.shape[-1] == 1 else p for p in pictures]


def _draw_labels(pictures, background_ids):
  return [colour_labels(p[..., 0], background_ids) for p in pictures]


def _draw_depth(pictures, background_ids):
  """Grey, from the nearest (white) to the farthest pixel of the whole example."""
  known = np.concatenate([p[np.isfinite(p)] for p in pictures])
  near, far = (known.min(), known.max()) if len(known) else (0.0, 1.0)
  shares = [(far - np.nan_to_num(p, nan=far, posinf=far)) / max(far - near, 1e-9) for p in pictures]
  return [np.repeat((255 * np.clip(s, 0, 1)).astype(np.uint8), 3, -1) for s in shares]


def _draw_flow(pictures, background_ids):
  """Direction as hue, length as brightness, up to the longest of the example."""
  longest = max(max(np.linalg.norm(p, axis=-1).max() for p in pictures), 1e-9)
  return [_hues(p[..., 0], p[..., 1], longest) for p in pictures]


def _hues(down: np.ndarray, right: np.ndarray, longest: float) -> np.ndarray:
  angle = np.arctan2(down, right)[..., None] - np.array([0, 2, 4]) * np.pi / 3
  length = np.hypot(down, right)[..., None] / longest
  return (255 * length * (0.5 + 0.5 * np.cos(angle))).astype(np.uint8)


_DRAW = {
  "colours": _draw_colours,
  "labels": _draw_labels,
  "grey": _draw_colours,
  "depth": _draw_depth,
  "flow": _draw_flow,
}


def _fit(picture: np.ndarray) -> np.ndarray:
  """Enlarged by a whole factor or reduced, so that the longer side is within CELL."""
  least, most = CELL
  longer = max(picture.shape[:2])
  if longer < least:
    factor = -(-least // longer)
    return picture.repeat(factor, 0).repeat(factor, 1)
  if longer <= most:
    return picture
  height, width = (max(1, side * most // longer) for side in picture.shape[:2])
  rows = np.arange(height) * picture.shape[0] // height
  columns = np.arange(width) * picture.shape[1] // width
  return picture[rows[:, None], columns]


def _with_boxes(picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
  """Boxes [K, 4] (shares of the picture) drawn into it, each in the colour of its label."""
  image = Image.fromarray(picture)
  draw = ImageDraw.Draw(image)
  height, width = picture.shape[:2]
  for number, (top, left, bottom, right) in enumerate(np.asarray(boxes), start=1):
    if bottom > top and right > left:
      edges = (left * width, top * height, right * width - 1, bottom * height - 1)
      draw.rectangle(edges, outline=tuple(int(c) for c in PALETTE[number % len(PALETTE)]))
  return np.asarray(image)


def _centred(picture: np.ndarray, height: int, width: int) -> np.ndarray:
  """On white, where pictures differ in size."""
  top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
  cell = np.full((height, width, 3), 255, np.uint8)
  cell[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
  return cell
