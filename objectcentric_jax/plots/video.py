"""Pictures of videos: what a model made of each frame, as a strip and as an animation."""

import jax
import numpy as np

from objectcentric_jax.plots.grid import grid
from objectcentric_jax.plots.scene import ScenePictures
from objectcentric_jax.scene import Scene

STRIP_FRAMES = 10


def frames(scene: Scene, index: int) -> Scene:
  """The frames of one video as a scene of images: [T, ...] out of [B, T, ...].

  What a scene says about no frame in particular, its background, is left out.
  """
  return jax.tree.map(lambda x: x[index], scene.replace(background=None))


def spaced(count: int, most: int) -> np.ndarray:
  """Indices of at most `most` of `count` frames, evenly spaced, the first and the last included."""
  return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def video_strip(pictures: ScenePictures, most: int = STRIP_FRAMES) -> np.ndarray:
  """Frames side by side, [h, w, 3] uint8: a row each for input, labels, reconstruction, segments.

  Args:
    pictures: of the frames of one video.
    most: frames to show; more are left out evenly. Those shown are numbered from 1.
  """
  shown = spaced(len(next(iter(pictures.whole.values()))), most)
  rows = [list(stack[shown]) for stack in pictures.whole.values()]
  titles = [f"frame {t + 1}" if column == 0 else str(t + 1) for column, t in enumerate(shown)]
  return grid(rows, list(pictures.whole), titles)


def video_animation(pictures: ScenePictures) -> np.ndarray:
  """An animation [T, h, w, 3] uint8 with input, labels, reconstruction, segments side by side."""
  each_frame = zip(*pictures.whole.values(), strict=True)
  return np.stack([grid([list(row)], [], list(pictures.whole)) for row in each_frame])
