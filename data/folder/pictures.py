"""Pictures and clips of one's own as they are stored.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data.building.object_views import check_size, object_count, read_mask
from data.building.png import encode_png
from data.folder.listing import Still
from data.raw import rgb_files, video_files
from data.raw.damage import Damaged
from data.raw.raw_images import read_bytes

MOST_OBJECTS = 255


class StillTask(NamedTuple):
  """A picture to read."""

  still: Still
  object_id: int  # place of its folder among all
  size: int | None

  @property
  def key(self) -> str:
    return self.still.key

  @property
  def object_name(self) -> str:
    return self.still.group


class Frame(NamedTuple):
  """A frame of a video."""

  pixels: np.ndarray  # uint8 [H, W, 3]
  ids: np.ndarray | None  # uint8 [H, W, 1]


def read_still(task: StillTask) -> dict[str, Any]:
  """A picture as it is stored.

  Raises:
    Damaged: it or its mask is missing or cannot be decoded, or their sizes differ.
  """
  still, size = task.still, task.size
  _check_pair(still)
  content = read_bytes(still.image)
  if size is None:
    content, shape = rgb_files.stored(content, still.image)
  else:
    pixels = rgb_files.upright(content, still.image)
    content, shape = rgb_files.png(square(pixels, size)), pixels.shape[:2]
  example = {
    "image": content,
    "metadata": metadata(task.key, task.object_id, task.object_name, still.place),
  }
  if still.mask is None:
    return example
  mask = read_mask(still.mask, MOST_OBJECTS)
  check_size(mask.ids, still.mask, shape, still.image)
  ids = mask.ids if size is None else square(mask.ids, size)
  example["metadata"]["mask_filter"] = mask.filter
  return {**example, "segmentation": encode_png(ids), "num_objects": object_count(ids)}


def metadata(key: str, object_id: int, object_name: str, frame: int) -> dict[str, Any]:
  """What is said of every example."""
  return {"key": key, "object_id": object_id, "object_name": object_name, "frame": frame}


def square(pixels: np.ndarray, size: int) -> np.ndarray:
  """The middle square of a picture or mask, resized to `size` pixels a side, [size, size, C]."""
  short = min(pixels.shape[:2])
  shape = tuple(max(size, round(side * size / short)) for side in pixels.shape[:2])
  filter = Image.Resampling.BILINEAR if pixels.shape[2] == 3 else Image.Resampling.NEAREST
  top, left = ((side - size) // 2 for side in shape)
  return rgb_files.resize(pixels, shape, filter)[top : top + size, left : left + size]


def file_frames(path: Path) -> Iterator[Frame]:
  """The frames of a video file; raises as `video_files.frames`."""
  return (Frame(pixels, None) for pixels in video_files.frames(path))


def folder_frames(stills: list[Still]) -> Iterator[Frame]:
  """The frames of a folder of pictures.

  Raises:
    Damaged: one that cannot be decoded, has another size than the first, or a mask of another.
  """
  for still in stills:
    _check_pair(still)
  frames = video_files.folder_frames([still.image for still in stills])
  for still, pixels in zip(stills, frames, strict=True):
    ids = None
    if still.mask is not None:
      ids = read_mask(still.mask, MOST_OBJECTS).ids
      check_size(ids, still.mask, pixels.shape[:2], still.image)
    yield Frame(pixels, ids)


def clips(
  path: Path, frames: Iterator[Frame], length: int, stride: int, size: int | None
) -> Iterator[list[Frame]]:
  """Cuts a video: clips that follow each other, of every `stride`-th frame; the rest is dropped.

  Args:
    path: of the video, for messages.
    frames: of the video.
    length: frames of a clip.
    stride: 1 takes every frame.
    size: frames are made squares of so many pixels a side, or kept with None.

  Raises:
    Damaged: there is not one clip; or as `frames` does, after the clips before.
  """
  taken = itertools.islice(frames, 0, None, stride)
  if size is not None:
    taken = (Frame(*(a if a is None else square(a, size) for a in frame)) for frame in taken)
  count = 0
  while len(clip := list(itertools.islice(taken, length))) == length:
    yield clip
    count += 1
  if not count:
    taken = f" (one in {stride} is taken)" if stride > 1 else ""
    raise Damaged(path, f"gives {len(clip)} frames{taken}, and a clip has {length}")


def encode_clip(clip: list[Frame]) -> dict[str, Any]:
  """A clip as it is stored, without its key."""
  example = {"video": [rgb_files.png(frame.pixels) for frame in clip]}
  if clip[0].ids is None:
    return example
  ids = [frame.ids for frame in clip]
  return {
    **example,
    "segmentation": [encode_png(mask) for mask in ids],
    "num_objects": object_count(np.stack(ids)),
  }


def highest_id(mask: Path) -> int:
  """The highest id of a mask; Damaged as `read_mask`."""
  return int(read_mask(mask, MOST_OBJECTS).ids.max())


def _check_pair(still: Still) -> None:
  if still.mask is None:
    return
  if not still.image.is_file():
    raise Damaged(still.mask, f"is a mask, but there is no picture {still.image.stem} for it")
  if not still.mask.is_file():
    raise Damaged(still.image, f"has no mask {still.mask}, while others have one")
