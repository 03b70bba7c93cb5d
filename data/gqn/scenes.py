"""One scene of GQN: the record of a file, and what is stored of it.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.raw.damage import Damaged
from data.raw.raw_images import decode
from data.raw.tfrecord import parse_example, read_record, record_offsets

_RAW_CAMERA = 5  # numbers of a view: x, y, z, yaw, pitch
CAMERA = 7  # of a view as it is stored
Shape = tuple[int, int, int]  # views, and height and width of each


class Scene(NamedTuple):
  """Where a scene is."""

  key: str
  path: Path
  offset: int


def scenes(split: str, paths: Iterable[Path]) -> Iterator[Scene]:
  """The scenes of files, in their order."""
  for path in paths:
    number = path.name.partition("-")[0]
    for index, offset in enumerate(record_offsets(path)):
      yield Scene(f"{split}-{number}-{index:06d}", path, offset)


def first_shape(every: Iterable[Scene]) -> Shape:
  """Views of the first scene that can be read, and their size; Damaged where none can."""
  first = None
  for scene in every:
    try:
      frames, _ = _read(scene)
      return len(frames), *decode(frames[0], scene.path, ("JPEG",)).shape[:2]
    except Damaged as damaged:
      first = first or damaged
  raise first


def read_scene(scene: Scene, shape: Shape) -> list[dict[str, Any]]:
  """A scene as it is stored, its pictures as they are.

  Raises:
    Damaged: the record cannot be read, or has other views than `shape` says.
  """
  frames, cameras = _read(scene)
  sizes = {decode(frame, scene.path, ("JPEG",)).shape[:2] for frame in frames}
  if len(frames) != shape[0] or sizes != {shape[1:]}:
    found = f"{len(frames)} views of {' and '.join(f'{h}x{w}' for h, w in sorted(sizes))} pixels"
    others = f"others {shape[0]} of {shape[1]}x{shape[2]}"
    raise Damaged(scene.path, f"has {found} in the record at byte {scene.offset}, {others}")
  return [{"views": frames, "camera": poses(cameras), "metadata": {"key": scene.key}}]


def poses(cameras: np.ndarray) -> np.ndarray:
  """Published cameras (x, y, z, yaw, pitch), [V, 5], as the networks of GQN take them.

  Returns:
    float32 [V, 7]: x, y, z, sin yaw, cos yaw, sin pitch, cos pitch.
  """
  place, yaw, pitch = np.split(np.asarray(cameras, np.float64), [3, 4], axis=1)
  turns = [function(angle) for angle in (yaw, pitch) for function in (np.sin, np.cos)]
  return np.concatenate([place, *turns], axis=1).astype(np.float32)


def _read(scene: Scene) -> tuple[list[bytes], np.ndarray]:
  """The pictures of the views, and their cameras [V, 5]."""
  features = parse_example(read_record(scene.path, scene.offset), scene.path)
  frames, cameras = features.get("frames"), features.get("cameras")
  right = isinstance(frames, list) and len(frames) > 0
  if not right or not isinstance(cameras, np.ndarray) or cameras.dtype != np.float32:
    raise Damaged(scene.path, f"has no frames and cameras in the record at byte {scene.offset}")
  if cameras.size != _RAW_CAMERA * len(frames) or not np.isfinite(cameras).all():
    found = f"{cameras.size} numbers of cameras for {len(frames)} views"
    raise Damaged(scene.path, f"has {found} in the record at byte {scene.offset}")
  return frames, cameras.reshape(-1, _RAW_CAMERA)
