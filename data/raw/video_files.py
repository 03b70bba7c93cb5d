"""Frames of videos: mp4 files through PyAV (an extra), animated GIFs and folders of pictures.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.raw_images import read_bytes
from objectcentric_jax.errors import InputError

CONTAINERS = (".mp4", ".m4v", ".mov")  # of the ISO base media format
ANIMATION = ".gif"
GIF_END = b";"  # the last byte of the format, but for padding


def natural_key(name: str) -> list[tuple[str, int, str]]:
  """Sorts names as people count: frame2 before frame10."""
  parts = re.findall(r"(\D*)(\d*)", name)
  return [(text, int(number or -1), number) for text, number in parts]


def frames(path: Path) -> Iterator[np.ndarray]:
  """The frames of a video file in order, uint8 [H, W, 3], upright and of one size.

  Raises:
    Damaged: where the file is cut short or cannot be decoded, after the frames before that.
    InputError: an mp4 file without PyAV; names the command that installs it.
  """
  decoder = _gif_frames if path.suffix.lower() == ANIMATION else _container_frames
  size = None
  for frame in decoder(path):
    size = size or frame.shape
    if frame.shape != size:
      raise Damaged(path, f"changes its size from {size[:2]} to {frame.shape[:2]} pixels")
    yield frame
  if size is None:
    raise Damaged(path, "holds no frame")


def folder_frames(paths: list[Path]) -> Iterator[np.ndarray]:
  """The pictures of a frame folder, uint8 [H, W, 3], which must be of one size.

  Raises:
    Damaged: a picture that cannot be decoded or differs in size from the first.
  """
  size = None
  for path in paths:
    frame = rgb_files.upright(read_bytes(path), path)
    size = size or frame.shape
    if frame.shape != size:
      raise Damaged(path, f"has {frame.shape[:2]} pixels, but {paths[0].name} has {size[:2]}")
    yield frame


def is_animated(path: Path) -> bool:
  """Whether a GIF has more than one frame; what cannot be read is not for this to say."""
  try:
    with Image.open(path) as image:
      return getattr(image, "is_animated", False)
  except (OSError, ValueError, SyntaxError):
    return False


def frame_count(path: Path) -> int:
  """About how many frames a video file has, by what its head says; 0 where it says nothing.

  Raises:
    InputError: an mp4 file without PyAV, as `frames`.
  """
  if path.suffix.lower() == ANIMATION:
    try:
      with Image.open(path) as image:
        return image.n_frames
    except (OSError, ValueError, SyntaxError):
      return 0
  av = _pyav(path)
  try:
    with av.open(str(path)) as container:
      return container.streams.video[0].frames
  except (av.FFmpegError, IndexError):
    return 0


def _gif_frames(path: Path) -> Iterator[np.ndarray]:
  if not read_bytes(path).rstrip(b"\0").endswith(GIF_END):
    raise Damaged(path, "is cut short: it does not end as a GIF does")
  try:
    with Image.open(path, formats=["GIF"]) as image:
      for frame in ImageSequence.Iterator(image):
        yield rgb_files.on_white(np.asarray(frame.convert("RGBA")))
  except (OSError, ValueError, SyntaxError) as error:
    raise Damaged(path, f"cannot be read as GIF ({error})") from None


def _container_frames(path: Path) -> Iterator[np.ndarray]:
  av = _pyav(path)
  _check_whole(path)
  try:
    with av.open(str(path)) as container:
      if not container.streams.video:
        raise Damaged(path, "holds no video")
      for frame in container.decode(container.streams.video[0]):
        if frame.is_corrupt:
          raise Damaged(path, "has a frame that cannot be decoded")
        # Cameras held upright store lying frames and by how much to turn them.
        yield np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
  except av.FFmpegError as error:
    raise Damaged(path, f"cannot be decoded ({error.strerror})") from None


def _pyav(path: Path):
  try:
    import av  # an extra: large, and few need it
  except ImportError:
    raise InputError(f"{path}: videos are read with PyAV; install it: pip install av") from None
  return av


def _check_whole(path: Path) -> None:
  """Damaged unless the boxes that the file is made of end where the file does.

  A decoder would give the frames before the cut and be silent about the rest.
  """
  size = path.stat().st_size if path.is_file() else len(read_bytes(path))
  with path.open("rb") as file:
    place = 0
    while place < size:
      file.seek(place)
      head = file.read(16)
      length = int.from_bytes(head[:4], "big")
      if length == 1:  # the length is in the 8 bytes after the kind of the box
        length = int.from_bytes(head[8:16], "big")
      elif length == 0:  # to the end of the file
        return
      if length < 8 or place + length > size:
        raise Damaged(path, "is cut short or no mp4 file")
      place += length
