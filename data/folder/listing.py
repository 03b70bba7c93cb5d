"""What is in a folder of one's own: pictures, their masks, and videos.

Masks are found in one of two ways: `masks/a.png` beside `images/a.jpg`, with any folders in between
the same on both sides, or `a_mask.png` beside `a.jpg`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from data.raw import video_files
from data.raw.own_files import walk
from objectcentric_jax.errors import InputError

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
IMAGES_FOLDER, MASKS_FOLDER = "images", "masks"
MASK_ENDING = "_mask"
SHOWN = 3  # names of files that a message gives


class Still(NamedTuple):
  """One picture."""

  key: str  # its path without suffix
  image: Path
  mask: Path | None
  group: str  # the folder it is in, from the one given
  place: int  # among the pictures of the group


class Listing(NamedTuple):
  """What there is, in the order in which people count."""

  stills: list[Still]
  videos: dict[str, Path]  # files by their paths without suffix
  others: list[Path]  # neither

  @property
  def masked(self) -> bool:
    """Whether the pictures have masks."""
    return any(still.mask for still in self.stills)

  def frame_folders(self) -> dict[str, list[Still]]:
    """The pictures by the folders they are in, each a video."""
    groups = {}
    for still in self.stills:
      groups.setdefault(still.group, []).append(still)
    return groups


def read(raw: Path) -> Listing:
  """What is in a folder, hidden files apart, or that a single file is.

  A picture without mask where others have one, or a mask without picture, is listed with the path
  that is missing, so that reading it says so.

  Raises:
    InputError: nothing there, two files of one name, or two masks of a picture.
  """
  if not raw.exists():
    raise InputError(f"--from {raw} does not exist")
  root = raw if raw.is_dir() else raw.parent
  files = sorted(walk(raw), key=_counted)
  kinds = {"image": [], "mask": [], "video": [], "other": []}
  for path in files:
    kinds[_kind(root, path)].append(path)
  images, masks, videos = (_by_name(root, kinds[kind]) for kind in ("image", "mask", "video"))
  if not (images or masks or videos):
    raise InputError(f"--from {raw} holds no picture ({', '.join(PICTURES)}) and no video")
  return Listing(_stills(root, images, masks), videos, kinds["other"])


def shown(paths: Iterable[Path]) -> str:
  """The names of a few files, for a message."""
  names = [path.name for path in paths]
  return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _counted(path: Path) -> list:
  return [video_files.natural_key(part) for part in path.parts]


def _kind(root: Path, path: Path) -> str:
  suffix = path.suffix.lower()
  animation = suffix == video_files.ANIMATION and video_files.is_animated(path)
  if animation or suffix in video_files.CONTAINERS:
    return "video"
  if suffix not in PICTURES:
    return "other"
  in_masks = MASKS_FOLDER in path.relative_to(root).parts[:-1]
  return "mask" if in_masks or path.stem.endswith(MASK_ENDING) else "image"


def _by_name(root: Path, paths: Iterable[Path]) -> dict[str, Path]:
  """Files by their paths from the root without suffix; InputError where two share one."""
  found = {}
  for path in paths:
    name = path.relative_to(root).with_suffix("").as_posix()
    try:
      name.encode()
    except UnicodeEncodeError:
      raise InputError(f"{str(path)!r} has a name that is not UTF-8: rename it") from None
    if name in found:
      raise InputError(f"{path} and {found[name].name} share a name: rename one of them")
    found[name] = path
  return found


def _stills(root: Path, images: dict[str, Path], masks: dict[str, Path]) -> list[Still]:
  mask_of = {}
  for name, path in masks.items():
    picture = _picture_of(name)
    if picture in mask_of:
      raise InputError(f"{path} and {mask_of[picture]} are masks of one picture: remove one")
    mask_of[picture] = path
  by_folders = any(MASKS_FOLDER in name.split("/")[:-1] for name in masks)
  stills, places = [], {}
  for name in sorted({*images, *mask_of}, key=lambda name: _counted(Path(name))):
    missing = root / (_mask_in_folder(name) if by_folders else f"{name}{MASK_ENDING}.png")
    mask = mask_of.get(name, missing) if masks else None
    image = images.get(name, root / f"{name}.jpg")
    group = "/".join(part for part in name.split("/")[:-1] if part != IMAGES_FOLDER) or "."
    places[group] = places.get(group, -1) + 1
    stills.append(Still(name, image, mask, group, places[group]))
  return stills


def _picture_of(mask: str) -> str:
  """The name of the picture that a mask is for."""
  parts = mask.split("/")
  if MASKS_FOLDER in parts[:-1]:
    last = len(parts) - 2 - parts[-2::-1].index(MASKS_FOLDER)
    return "/".join([*parts[:last], IMAGES_FOLDER, *parts[last + 1 :]])
  return mask.removesuffix(MASK_ENDING)


def _mask_in_folder(picture: str) -> str:
  """Where the mask of a picture should be."""
  parts = picture.split("/")
  folders = [MASKS_FOLDER if part == IMAGES_FOLDER else part for part in parts[:-1]]
  return "/".join([*folders, f"{parts[-1]}.png"])
