"""Pictures of videos: what a model made of each frame, as a strip and as an animation."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from objectcentric_jax.plots.boxes import outline_boxes, track_colours
from objectcentric_jax.plots.grid import below, enlarge, grid
from objectcentric_jax.plots.scene import ScenePictures, scene_pictures, to_uint8
from objectcentric_jax.scene import Scene

STRIP_FRAMES = 10
ANIMATION_COLUMNS = 4
BOXED_SIDE = 192  # pixels at least of pictures with boxes, whose outlines are thin
PRESENT = 0.5  # boxes less present are not drawn


def frames(scene: Scene, index: int) -> Scene:
  """The frames of one video as a scene of images: [T, ...] out of [B, T, ...].

  What a scene says about no frame in particular, its background, is left out.
  """
  return jax.tree.map(lambda x: x[index], scene.replace(background=None))


def spaced(count: int, most: int) -> np.ndarray:
  """Indices of at most `most` of `count` frames, evenly spaced, the first and the last included."""
  return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def video_pictures(
  scene: Scene, index: int, batch: Mapping[str, np.ndarray], background_ids: Sequence[int] = (0,)
) -> ScenePictures:
  """All pictures of the frames of one video.

  Those of `objectcentric_jax.plots.scene.scene_pictures` and, after the input, "true boxes" and
  "boxes", in the colour of their track and as opaque as they are present; at the end "background"
  and "foreground share" where the scene says which components are background. Segments have the
  colours of tracks where each component that is not background is that of a box.

  Args:
    scene: of videos [B, T, ...].
    index: of the video.
    batch: has "video" [B, T, H, W, 3] in [0, 1]; its "segmentation" and "bboxes" are drawn if
      there.
    background_ids: true labels shown black.
  """
  one = frames(scene, index)
  video, truth = batch["video"][index], batch.get("segmentation")
  whole, parts = scene_pictures(one, video, None if truth is None else truth[index], background_ids)
  if scene.background is not None and scene.masks is not None:
    behind = np.broadcast_to(scene.background, (len(scene.masks), scene.masks.shape[2]))[index]
    whole |= _background(one, behind)
    whole |= _track_segments(one, behind)
  if one.boxes is None or one.presence is None:
    return ScenePictures(whole, parts)
  factor = -(-BOXED_SIDE // min(video.shape[1:3]))
  whole = {name: _enlarged(stack, factor) for name, stack in whole.items()}
  boxes = {"boxes": _boxes(whole["input"], one)}
  if "bboxes" in batch:
    corners = batch["bboxes"][index]
    real = (corners[..., 2:] > corners[..., :2]).all(-1)
    colours = track_colours(np.broadcast_to(np.arange(real.shape[1]), real.shape))
    boxes = {"true boxes": outline_boxes(whole["input"], corners, real, colours), **boxes}
  return ScenePictures({"input": whole.pop("input"), **boxes, **whole}, parts)


def _enlarged(stack: np.ndarray, factor: int) -> np.ndarray:
  return np.stack([enlarge(picture, factor) for picture in stack])


def _boxes(video: np.ndarray, scene: Scene) -> np.ndarray:
  """The boxes of the frames of a scene over its video, uint8."""
  centre, size = np.split(np.asarray(scene.boxes), 2, axis=-1)
  corners = np.concatenate([centre - size / 2, centre + size / 2], -1)
  opacity = np.where(scene.presence > PRESENT, np.clip(scene.presence, 0, 1), 0)
  shape = scene.presence.shape
  identity = np.broadcast_to(np.arange(shape[1]), shape)
  colours = track_colours(identity if scene.identity is None else scene.identity)
  return outline_boxes(video, corners, opacity, colours)


def _background(scene: Scene, behind: np.ndarray) -> dict[str, np.ndarray]:
  """The background components as they would be seen alone, and how much is not theirs."""
  masks = np.asarray(scene.masks)[:, behind]
  share = masks.sum(1)
  pictures = {"foreground share": to_uint8(1 - share)}
  if scene.components is None:
    return pictures
  components = np.asarray(scene.components)[:, behind]
  if components.shape[1] == 1:  # nothing to mix: seen also where the foreground covers all of it
    return {"background": to_uint8(components[:, 0]), **pictures}
  mixed = (masks * components).sum(1) / np.maximum(share, 1e-6)
  return {"background": to_uint8(mixed), **pictures}


def _track_segments(scene: Scene, behind: np.ndarray) -> dict[str, np.ndarray]:
  """Segments in the colours of tracks, the background black; none where components have no box."""
  if scene.identity is None or scene.identity.shape[1] != (~behind).sum():
    return {}
  colours = np.zeros((*scene.masks.shape[:2], 3), np.uint8)
  colours[:, ~behind] = track_colours(scene.identity)
  largest = np.asarray(scene.masks)[..., 0].argmax(1)  # [T, H, W]
  return {"segments": colours[np.arange(len(colours))[:, None, None], largest]}


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
  """An animation [T, h, w, 3] uint8 of what the strip has rows of, a few of them side by side."""
  names = list(pictures.whole)
  groups = [names[i : i + ANIMATION_COLUMNS] for i in range(0, len(names), ANIMATION_COLUMNS)]

  def frame(t):
    return below(
      [grid([[pictures.whole[name][t] for name in group]], [], group) for group in groups]
    )

  return np.stack([frame(t) for t in range(len(pictures.whole[names[0]]))])
