"""The frames of MOTSynth: which there are, and how one is stored.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data.building.png import encode_png
from data.motsynth import annotations
from data.motsynth.backgrounds import background, picture_file
from data.motsynth.names import Options
from data.raw import rgb_files
from data.raw.frames import Frame, Like, first_size, numbered, read_picture, with_gaps
from data.raw.raw_images import decode_rgb
from objectcentric_jax.errors import InputError

QUALITY = 95  # of frames that are stored as new JPEG files, with all of their colours
_FRAME = re.compile(r"([0-9]+)\.jpg")
_SEQUENCE = re.compile(r"[0-9]{3}")


class Setting(NamedTuple):
  """What all frames of a sequence share."""

  annotations: Path
  options: Options
  background: Path | None  # file of its picture
  id_type: str  # numpy's name of the type of the stored ids


def sequences(raw: Path, options: Options) -> dict[str, list[Path]]:
  """The frames of the chosen sequences that are there.

  Raises:
    InputError: none is there, one without frames, or one that the config asks for by its number is
      missing.
  """
  folder = raw / "frames"
  if not folder.is_dir():
    raise InputError(f"--from {raw} is not MOTSynth: it has no folder frames")
  there = sorted(path.name for path in folder.iterdir() if _SEQUENCE.fullmatch(path.name))
  wanted = there if options.numbers is None else options.numbers
  found = [name for name in wanted if name in there]
  if not found or not options.listed and found != wanted:
    missing = ", ".join(name for name in wanted if name not in there) or "any"
    raise InputError(f"--from {raw} has no sequence {missing} in its folder frames")
  return {name: _paths(folder / name / "rgb") for name in found}


def frames(
  raw: Path, options: Options, found: Mapping[str, list[Path]], id_type: str
) -> list[Frame]:
  """The frames of sequences, one sequence after the other.

  Args:
    raw: the folder.
    options: of the config.
    found: of those that `sequences` returns.
    id_type: numpy's name of the type of ids.

  Raises:
    InputError: there is no picture for the background, or frames have fewer rows than are to be
      stored.
  """
  like = first_size(path for paths in found.values() for path in paths)
  if like.size[0] < options.size:
    raise InputError(f"{like.path} has {like.size[0]} rows, the config asks for {options.size}px")
  file = picture_file(raw, options)
  result = []
  for name, paths in found.items():
    setting = Setting(annotation_file(raw, name), options, file, id_type)
    result += [Frame(name, int(path.stem), path, like, setting) for path in paths]
  return result


def annotation_file(raw: Path, sequence: str) -> Path:
  """The annotations of a sequence."""
  return raw / "annotations" / f"{sequence}.json"


def stored_size(like: Like, rows: int) -> tuple[int, int]:
  """Height and width of stored frames."""
  height, width = like.size
  return rows, round(width * rows / height)


def read_frame(frame: Frame) -> list[dict[str, Any]]:
  """A frame as it is stored: the file as it is where nothing is changed in it.

  Raises:
    Damaged: the frame or its annotations cannot be used.
  """
  setting: Setting = frame.more
  content = read_picture(frame.path, frame.like)
  ids = annotations.segmentation(
    annotations.read(setting.annotations), frame.number, frame.like.size
  )
  behind = background(setting.options, setting.background, *frame.like.size)
  size = stored_size(frame.like, setting.options.size)
  if behind is not None or size != frame.like.size:
    pixels = decode_rgb(content, frame.path)
    pixels = pixels if behind is None else np.where(ids > 0, pixels, behind)
    content = _jpeg(rgb_files.resize(pixels, size, Image.Resampling.BILINEAR))
  return [
    {
      "image": content,
      "segmentation": _ids_png(_resized_ids(ids, size), setting.id_type),
      "num_objects": len(np.unique(ids[ids > 0])),
      "metadata": {"key": frame.key},
    }
  ]


def _paths(folder: Path) -> list[Path]:
  paths = with_gaps(numbered(folder, _FRAME), "{:04d}.jpg".format)
  if not paths:
    raise InputError(f"{folder} holds no frame <integer>.jpg")
  return list(paths.values())


def _jpeg(pixels: np.ndarray) -> bytes:
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=0)
  return file.getvalue()


def _resized_ids(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Nearest pixels, as Pillow's, of ids of any type [H, W, 1]."""
  sides = zip(size, ids.shape[:2], strict=True)
  rows, columns = (((np.arange(new) + 0.5) * old / new).astype(int) for new, old in sides)
  return ids[rows[:, None], columns[None]]


def _ids_png(ids: np.ndarray, id_type: str) -> bytes:
  if id_type == "uint8":
    return encode_png(ids)
  file = io.BytesIO()
  Image.fromarray(ids[..., 0].astype(np.uint16)).save(file, "PNG")
  return file.getvalue()
