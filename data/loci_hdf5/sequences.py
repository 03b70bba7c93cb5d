"""One sequence of an HDF5 file, as it is stored.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from data.building.boxes import boxes
from data.building.png import encode_png
from data.loci_hdf5.contents import DEPTH, FOREGROUND, INSTANCES, MASKS, RGB, Contents
from data.loci_hdf5.names import NAMES, Options
from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.hdf5 import opened
from data.raw.raw_images import decode
from objectcentric_jax.errors import InputError

WHOLE = 255
VISIBLE = 0.8 * WHOLE  # of a mask: above this the pixel shows the object, below it is hidden there


class Sequence(NamedTuple):
  """Frames `first` to `first + length - 1` of a file."""

  key: str
  contents: Contents
  first: int
  length: int


class Setting(NamedTuple):
  """What all sequences of a set share."""

  options: Options
  size: tuple[int, int]
  objects: int  # K


class Masks(NamedTuple):
  """What the masks of a frame say.

  Attributes:
    ids: uint8 [H, W, 1], the mask that comes last where several are visible.
    shapes: uint8 [N, H, W], the masks of the objects; None where there are none.
    foreground: uint8 [H, W]; None where it is not there.
  """

  ids: np.ndarray
  shapes: np.ndarray | None
  foreground: np.ndarray | None


def first_size(contents: Contents) -> tuple[int, int]:
  """Height and width of the first picture of a file; Damaged where it cannot be decoded."""
  with opened(contents.path) as file:
    return _picture(file, contents, 0)[1]


def read_sequence(sequence: Sequence, setting: Setting) -> list[dict[str, Any]]:
  """A sequence as it is stored.

  Raises:
    Damaged: a part of it cannot be read, or a picture is of another size.
    InputError: its masks hold more than the config keeps.
  """
  contents, options = sequence.contents, setting.options
  frames = range(sequence.first, sequence.first + sequence.length)
  with opened(contents.path) as file:
    pictures = [_picture(file, contents, frame) for frame in frames]
    depth = [_depth(file, contents, frame) for frame in frames] if contents.depth else []
    masks = [_masks(file, contents, frame) for frame in frames] if contents.has_masks else []
  for frame, size in zip(frames, [size for _, size in pictures], strict=True):
    if size != setting.size:
      found, expected = ("x".join(map(str, s)) for s in (size, setting.size))
      raise Damaged(contents.path, f"has {RGB} {frame} of {found} pixels, not {expected}")
  example = {"video": [content for content, _ in pictures], "metadata": {"key": sequence.key}}
  if depth:
    example["depth"] = np.stack(depth)
  if masks:
    for frame, found in zip(frames, masks, strict=True):
      _check_kept(contents, frame, found, options)
    example["segmentation"] = [encode_png(found.ids) for found in masks]
  if contents.objects:
    example["bboxes"] = np.stack([boxes(found.ids, setting.objects) for found in masks])
    example["num_objects"] = max(len(found.shapes) for found in masks)
  if options.amodal:
    example["amodal_masks"] = np.stack([_filled(found.shapes, setting.objects) for found in masks])
  if options.foreground:
    example["mask"] = [encode_png(found.foreground[..., None]) for found in masks]
  return [example]


def _picture(file: Any, contents: Contents, frame: int) -> tuple[bytes, tuple[int, int]]:
  """A picture as records hold it, and its size."""
  stored = np.asarray(file[RGB][frame])
  if stored.dtype == np.uint8:
    return rgb_files.stored(stored.tobytes(), f"{contents.path} ({RGB} {frame})")
  if stored.ndim != 3 or len(stored) != 3 or stored.dtype.kind != "f":
    raise Damaged(contents.path, f"has {RGB} of {stored.dtype} {stored.shape}, not (3, H, W)")
  pixels = np.clip(np.moveaxis(stored, 0, -1) * WHOLE, 0, WHOLE).round().astype(np.uint8)
  return rgb_files.png(np.ascontiguousarray(pixels)), pixels.shape[:2]


def _depth(file: Any, contents: Contents, frame: int) -> np.ndarray:
  """float32 0 to 1, [H, W, 1]."""
  stored = np.asarray(file[DEPTH][frame])
  if stored.dtype == np.uint8:
    pixels = decode(stored.tobytes(), f"{contents.path} ({DEPTH} {frame})")
    stored = np.moveaxis(pixels, -1, 0) / np.float32(WHOLE)
  if stored.ndim != 3 or len(stored) != 1:
    raise Damaged(contents.path, f"has {DEPTH} {frame} of shape {stored.shape}, not (1, H, W)")
  return np.moveaxis(stored, 0, -1).astype(np.float32)


def _masks(file: Any, contents: Contents, frame: int) -> Masks:
  foreground = file[FOREGROUND][frame, 0] if contents.foreground else None
  if not contents.objects:
    return Masks((foreground > VISIBLE).astype(np.uint8)[..., None], None, foreground)
  first, count = (int(number) for number in file[INSTANCES][frame])
  shapes = file[MASKS][first : first + count, 0]
  ids = np.zeros((*shapes.shape[1:], 1), np.uint8)
  for number, shape in enumerate(shapes, start=1):
    ids[shape > VISIBLE] = number
  return Masks(ids, shapes, foreground)


def _check_kept(contents: Contents, frame: int, masks: Masks, options: Options) -> None:
  """InputError where a mask says more than the ids and the config does not keep it."""
  if masks.shapes is not None and not options.amodal:
    numbers = np.arange(1, len(masks.shapes) + 1).reshape(-1, 1, 1)
    if (masks.shapes != WHOLE * (masks.ids[..., 0] == numbers)).any():
      kept = NAMES.spell(dataclasses.replace(options, amodal=True))
      raise InputError(
        f"{contents.path} has {MASKS} of frame {frame} that overlap or have grades; name the "
        f"config {kept}, which keeps them"
      )
  if masks.foreground is not None and not options.foreground:
    if (masks.foreground != WHOLE * (masks.ids[..., 0] > 0)).any():
      kept = NAMES.spell(dataclasses.replace(options, foreground=True))
      raise InputError(
        f"{contents.path} has a {FOREGROUND} of frame {frame} that is not all of its objects; name "
        f"the config {kept}, which keeps it"
      )


def _filled(shapes: np.ndarray, rows: int) -> np.ndarray:
  """[N, H, W] as [rows, H, W, 1], with zeros behind the last."""
  missing = np.zeros((rows - len(shapes), *shapes.shape[1:]), np.uint8)
  return np.concatenate([shapes, missing])[..., None]
