"""Views of objects: pictures with a mask each, that say which object they show.

What Object Pursuit learns from (Pan et al., 2022, pptrick/Object-Pursuit): frames of a video of an
object, or pictures of it from many sides. All sets of this kind have the same features, so that
one sampler can draw batches of one object from any of them.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data.building.png import encode_png
from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.raw_images import decode, decode_mask, read_bytes
from objectcentric_jax.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg")
WHITE = 255
MOST_GREY_IDS = 127  # brighter greys are shades of white, not ids
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class View(NamedTuple):
  """One picture of an object, and where its mask is."""

  key: str  # unique in the set
  image: Path
  mask: Path
  object_id: int  # place of the object among all of the set
  object_name: str
  frame: int  # orders the views of an object
  max_objects: int | None = None  # the highest id of a mask; None: what is no background is one
  size: int | None = None  # of the short side, to which both are resized


class Folders(NamedTuple):
  """Where the views of one object are."""

  name: str
  images: Path
  masks: Path
  split: str = "train"
  max_objects: int | None = None  # as in `View`


class Mask(NamedTuple):
  """What a mask file says."""

  ids: np.ndarray  # uint8 [H, W, 1], 0 background
  filter: str  # Pillow's default filter for such a file, see `ObjectViewsBuilder`


class Picture(NamedTuple):
  """A picture on its way into a record."""

  content: bytes  # as stored: PNG, or JPEG where it was
  size: tuple[int, int]  # height and width of the file
  stored_size: tuple[int, int]


def read_view(view: View) -> dict[str, Any]:
  """A view as it is stored.

  Raises:
    Damaged: a file of the pair is missing or cannot be decoded, the mask is not of the size of the
      picture, or not one of ids.
  """
  picture = read_picture(view.image, view.size)
  mask = read_mask(view.mask, view.max_objects)
  check_size(mask.ids, view.mask, picture.size, view.image)
  ids = rgb_files.resize(mask.ids, picture.stored_size, Image.Resampling.NEAREST)
  return example(view, picture, ids, mask.filter)


def example(view: View, picture: Picture, ids: np.ndarray, mask_filter: str) -> dict[str, Any]:
  """What is stored of every view; `ids` uint8 [H, W, 1] in the size that is stored."""
  return {
    "image": picture.content,
    "segmentation": encode_png(ids),
    "num_objects": object_count(ids),
    "metadata": {
      "key": view.key,
      "object_id": view.object_id,
      "object_name": view.object_name,
      "frame": view.frame,
      "mask_filter": mask_filter,
    },
  }


def read_picture(path: Path, short_side: int | None) -> Picture:
  """Reads a picture, and resizes it where a short side is given; Damaged where it cannot."""
  content = read_bytes(path)
  if short_side is None:
    content, size = rgb_files.stored(content, path)
    return Picture(content, size, size)
  pixels = rgb_files.upright(content, path)
  size = pixels.shape[:2]
  stored_size = tuple(max(short_side, round(side * short_side / min(size))) for side in size)
  resized = rgb_files.resize(pixels, stored_size, Image.Resampling.BICUBIC)
  return Picture(rgb_files.png(resized), size, stored_size)


def read_mask(path: Path, max_objects: int | None) -> Mask:
  """Reads the mask files in use: black and white, grey ids, or ids with a palette.

  A palette must begin with black, the background; grey is 0 and 255 or small ids. Colours will do
  where they are grey, as the published loaders take the first channel.

  Args:
    path: the file.
    max_objects: the highest id; None: whatever is not background gets the id 1.

  Raises:
    Damaged: it cannot be decoded, is none of these, or has higher ids.
  """
  content = read_bytes(path)
  mode, first_colour = _kind(content)
  if mode == "P":
    ids = decode_mask(content, path)
    if any(first_colour):
      raise Damaged(path, f"has a palette that begins with {first_colour}, not black as background")
  else:
    ids = _grey_ids(decode(content, path), path)
  highest = int(ids.max())
  if max_objects is None:
    ids = (ids > 0).astype(np.uint8)
  elif highest > max_objects:
    raise Damaged(path, f"holds the id {highest}, more than the {max_objects} of its objects")
  return Mask(ids, "nearest" if mode in ("P", "1") else "bicubic")


def read_grey(path: Path) -> np.ndarray:
  """The values of a picture in grey, uint8 [H, W, 1]; Damaged where it is none."""
  return _grey(decode(read_bytes(path), path), path)


def check_size(pixels: np.ndarray, path: Path, size: tuple[int, int], like: Path) -> None:
  """Damaged unless what was read from `path`, [H, W, ...], has the height and width of `like`."""
  if pixels.shape[:2] != size:
    found = "x".join(map(str, pixels.shape[:2]))
    raise Damaged(path, f"has {found} pixels, but {like} has {size[0]}x{size[1]}")


def object_count(ids: np.ndarray) -> int:
  """How many objects a segmentation shows."""
  return len(np.setdiff1d(ids, [0]))


def stems(folder: Path) -> dict[str, Path]:
  """The pictures of a folder by their names without suffix, in the order of these.

  Hidden files and other kinds are passed over; a folder that is not there has none.

  Raises:
    Damaged: two pictures differ in their suffix alone.
  """
  found = {}
  for path in sorted(folder.iterdir() if folder.is_dir() else ()):
    if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
      if path.stem in found:
        raise Damaged(folder, f"holds both {found[path.stem].name} and {path.name}")
      found[path.stem] = path
  return dict(sorted(found.items()))


def pairs(images: Path, masks: Path) -> dict[str, tuple[Path, Path]]:
  """Picture and mask of every name that either folder has; one of them may be missing.

  Raises:
    Damaged: as `stems`, and where there is no picture.
  """
  pictures, ids = stems(images), stems(masks)
  if not pictures:
    raise Damaged(images, f"holds no picture ({', '.join(SUFFIXES)})")
  return {
    stem: (pictures.get(stem, images / f"{stem}.jpg"), ids.get(stem, masks / f"{stem}.png"))
    for stem in sorted({*pictures, *ids})
  }


def alone(read: Callable[[Any], dict[str, Any]], item: Any) -> list[dict[str, Any]]:
  """A list of one: what `read` makes of an item, as builders of several an item expect it."""
  return [read(item)]


def frame_number(path: Path) -> int:
  """The number that the name of a frame ends with, "00012" or "frame000012"; Damaged without."""
  digits = re.search(r"(\d{1,9})$", path.stem)
  if not digits:
    raise Damaged(path, "has a name that does not end with the number of its frame")
  return int(digits[1])


def check_plain(name: str, path: Path) -> None:
  """InputError unless a name that the file `path` gives can only be that of a file in a folder."""
  if not PLAIN.fullmatch(name):
    raise InputError(f"{path} names {name!r}: a plain name is needed, not a path")


def _kind(content: bytes) -> tuple[str, tuple[int, ...]]:
  """Pillow's mode of a file, and the first colour of its palette; nothing where it is damaged."""
  try:
    with Image.open(io.BytesIO(content)) as image:
      return image.mode, tuple(image.getpalette()[:3]) if image.mode == "P" else ()
  except Exception:  # what decodes it says what is wrong
    return "", ()


def _grey_ids(pixels: np.ndarray, path: Path) -> np.ndarray:
  ids = _grey(pixels, path)
  values = np.unique(ids)
  if np.isin(values, (0, WHITE)).all():
    return (ids > 0).astype(np.uint8)
  if values[-1] > MOST_GREY_IDS:
    shown = ", ".join(map(str, values[:4])) + ", ..." * (len(values) > 4)
    raise Damaged(path, f"is a mask with the grey values {shown}: neither 0 and 255 nor small ids")
  return ids


def _grey(pixels: np.ndarray, path: Path) -> np.ndarray:
  """The first channel of [H, W, C] in which no channel but that of transparency differs."""
  colours = pixels[..., : pixels.shape[2] - (pixels.shape[2] + 1) % 2]
  if pixels.dtype != np.uint8 or (colours != colours[..., :1]).any():
    raise Damaged(path, "is a mask in colours or of 16 bits, not 8-bit ids in grey or a palette")
  return colours[..., :1]
