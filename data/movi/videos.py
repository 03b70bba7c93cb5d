"""One video of MOVi, from its published record to the one stored here.

Pictures are handed on as the PNG files that they are. No jax and no tensorflow_datasets, so that
worker processes can import it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.movi.names import MOST_OBJECTS, Options
from data.raw.damage import Damaged
from data.raw.raw_images import decode, image_size
from data.raw.tfrecord import Values, parse_example, read_record

LEVELS = 65535  # of depth and flow, from the least to the most value of the video
FLOWS = ("forward_flow", "backward_flow")
T = "T"  # stands for the number of frames in shapes


class Factor(NamedTuple):
  """Something that is known of every instance.

  Attributes:
    published: its name in the published records.
    shape: behind the axis of the instances.
    kind: numpy's type.
  """

  published: str
  shape: tuple[int | str, ...]
  kind: type


# Some are only in some of the sets.
FACTORS = {
  "mass": Factor("mass", (), np.float32),
  "friction": Factor("friction", (), np.float32),
  "restitution": Factor("restitution", (), np.float32),
  "positions": Factor("positions", (T, 3), np.float32),
  "quaternions": Factor("quaternions", (T, 4), np.float32),
  "velocities": Factor("velocities", (T, 3), np.float32),
  "angular_velocities": Factor("angular_velocities", (T, 3), np.float32),
  "bboxes_3d": Factor("bboxes_3d", (T, 8, 3), np.float32),
  "image_positions": Factor("image_positions", (T, 2), np.float32),
  "shape": Factor("shape_label", (), np.int32),
  "size": Factor("size_label", (), np.int32),
  "material": Factor("material_label", (), np.int32),
  "colour": Factor("color", (3,), np.float32),
  "colour_name": Factor("color_label", (), np.int32),
  "category": Factor("category", (), np.int32),
  "scale": Factor("scale", (), np.float32),
  "is_dynamic": Factor("is_dynamic", (), np.bool_),
}
CAMERA = {
  "focal_length": (),
  "sensor_width": (),
  "field_of_view": (),
  "positions": (T, 3),
  "quaternions": (T, 4),
}
INSTANCES = (
  "visibility",
  "bboxes/ragged_flat_values",
  "bboxes/ragged_row_lengths_0",
  "bbox_frames/ragged_flat_values",
)
METADATA = ("video_name", "num_frames", "num_instances")


class Layout(NamedTuple):
  """What all videos of a set have."""

  frames: int
  factors: tuple[str, ...]  # those of FACTORS that are there


class Video(NamedTuple):
  """A record of a file."""

  split: str
  path: Path
  offset: int


def shape_of(shape: tuple[int | str, ...], frames: int) -> tuple[int, ...]:
  """A shape of FACTORS or CAMERA with the number of frames in it."""
  return tuple(frames if side == T else side for side in shape)


def describe(video: Video, options: Options) -> Layout:
  """What the videos of a set have, from one of them; Damaged as `read_video`."""
  features = _read(video, options)
  there = (name for name, f in FACTORS.items() if f"instances/{f.published}" in features)
  return Layout(_number(video, features, "num_frames"), tuple(there))


def read_video(video: Video, options: Options, layout: Layout) -> list[dict[str, Any]]:
  """A video as it is stored.

  Args:
    video: which.
    options: of the config.
    layout: of the set.

  Raises:
    Damaged: the record cannot be read, lacks a feature, or has not the size of the config.
  """
  features = _read(video, options)
  try:
    return [_example(video, features, options, layout)]
  except Damaged:
    raise
  except (KeyError, IndexError, ValueError, TypeError) as error:
    reason = f"{type(error).__name__}: {error}"
    raise Damaged(video.path, f"has no video of MOVi at byte {video.offset} ({reason})") from None


def _read(video: Video, options: Options) -> dict[str, Values]:
  """The features of a published record that a config needs."""
  only = {f"metadata/{name}" for name in METADATA} | {f"camera/{name}" for name in CAMERA}
  only |= {f"instances/{name}" for name in (*INSTANCES, *(f.published for f in FACTORS.values()))}
  only |= {"video", "segmentations"}
  if options.depth:
    only |= {"depth", "metadata/depth_range"}
  if options.flow:
    only |= {*FLOWS, *(f"metadata/{name}_range" for name in FLOWS)}
  return parse_example(read_record(video.path, video.offset), video.path, only=only)


def _number(video: Video, features: Mapping[str, Values], name: str) -> int:
  try:
    return int(features[f"metadata/{name}"][0])
  except (KeyError, IndexError, ValueError):
    raise Damaged(video.path, f"has no metadata/{name} at byte {video.offset}") from None


def _example(video: Video, features: Mapping, options: Options, layout: Layout) -> dict[str, Any]:
  name = features["metadata/video_name"][0].decode()
  where = f"{video.path} (video {name})"
  frames, count = (_number(video, features, number) for number in ("num_frames", "num_instances"))
  most = MOST_OBJECTS[options.letter]
  if frames != layout.frames:
    raise Damaged(where, f"has {frames} frames, others {layout.frames}")
  if count > most:
    raise Damaged(where, f"has {count} instances, MOVi-{options.letter.upper()} at most {most}")

  def of_instances(published, shape, kind):
    values = np.asarray(features[f"instances/{published}"], kind)
    return values.reshape(count, *shape_of(shape, frames))

  example = {
    "video": _pictures(features["video"], frames, options.side, where),
    "segmentation": _pictures(features["segmentations"], frames, options.side, where),
    "bboxes": _boxes(features, frames, count),
    "visibility": np.ascontiguousarray(of_instances("visibility", ("T",), np.uint16).T),
    "num_objects": count,
    "factors": {own: of_instances(*FACTORS[own]) for own in layout.factors},
    "camera": {
      own: np.asarray(features[f"camera/{own}"], np.float32).reshape(shape_of(shape, frames))
      for own, shape in CAMERA.items()
    },
    "metadata": {"key": f"{video.split}/{name.zfill(6)}"},
  }
  if options.depth:
    files = _pictures(features["depth"], frames, options.side, where)
    levels = np.stack([decode(file, where) for file in files])
    example["depth"] = _in_range(levels, features["metadata/depth_range"])
  for flow in FLOWS if options.flow else ():
    levels = np.asarray(features[flow]).reshape(frames, options.side, options.side, 2)
    example[flow] = _in_range(levels, features[f"metadata/{flow}_range"])
  return example


def _pictures(files: list[bytes], frames: int, side: int, where: str) -> list[bytes]:
  if len(files) != frames:
    raise Damaged(where, f"has {len(files)} pictures for {frames} frames")
  for file in files:
    height, width = image_size(file, where)
    if (height, width) != (side, side):
      raise Damaged(where, f"has pictures of {height}x{width}, the config says {side}px")
  return files


def _boxes(features: Mapping[str, Values], frames: int, count: int) -> np.ndarray:
  """float32 [T, K, 4]; published are the boxes of each instance where it can be seen."""
  numbers = np.repeat(np.arange(count), features["instances/bboxes/ragged_row_lengths_0"])
  found = np.asarray(features["instances/bboxes/ragged_flat_values"], np.float32).reshape(-1, 4)
  boxes = np.zeros((frames, count, 4), np.float32)
  boxes[np.asarray(features["instances/bbox_frames/ragged_flat_values"], int), numbers] = found
  return boxes


def _in_range(levels: np.ndarray, ends: np.ndarray) -> np.ndarray:
  """Whole numbers 0 to LEVELS as float32 between two ends."""
  least, most = ends
  return levels.astype(np.float32) / LEVELS * (most - least) + least
