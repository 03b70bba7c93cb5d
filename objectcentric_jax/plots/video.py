"""Pictures of videos: what a model made of each frame, as a strip and as an animation."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from objectcentric_jax.plots.boxes import LEAST_SIDE, cover_with_boxes, track_colours
from objectcentric_jax.plots.grid import below, enlarge, grid
from objectcentric_jax.plots.scene import ScenePictures, scene_pictures, to_uint8
from objectcentric_jax.scene import Scene

STRIP_FRAMES = 10
ANIMATION_COLUMNS = 4
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
  "boxes" in the colours of tracks, as opaque as they are present; at the end "background" and
  "foreground share" where the scene says which components are background. Segments have the
  colours of tracks where each component that is not background is that of a box; so have true ones
  where there are true boxes, of which number n is that of label n + 1.

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
  boxes = {"boxes": _boxes(video, one)}
  if "bboxes" in batch:
    boxes = {"true boxes": _true_boxes(video, batch["bboxes"][index]), **boxes}
    if truth is not None:
      whole["true segments"] = _true_segments(truth[index], background_ids)
  factor = -(-LEAST_SIDE // min(video.shape[1:3]))
  whole = {name: _enlarged(stack, factor) for name, stack in whole.items()}
  return ScenePictures({"input": whole.pop("input"), **boxes, **whole}, parts)


def _enlarged(stack: np.ndarray, factor: int) -> np.ndarray:
  return np.stack([enlarge(picture, factor) for picture in stack])


def _boxes(video: np.ndarray, scene: Scene) -> np.ndarray:
  """The boxes of the frames of a scene over its video, uint8, enlarged."""
  presence = np.where(scene.presence > PRESENT, scene.presence, 0)
  identity = np.arange(presence.shape[1]) if scene.identity is None else scene.identity
  return _covered(video, scene.boxes, presence, identity)


def _true_boxes(video: np.ndarray, corners: np.ndarray) -> np.ndarray:
  """True boxes [T, K, 4] over a video, uint8, enlarged."""
  low, high = np.split(corners, 2, axis=-1)
  real = (high > low).all(-1)
  boxes = np.concatenate([(low + high) / 2, high - low], axis=-1)
  return _covered(video, boxes, real, np.arange(real.shape[1]))


def _covered(video, boxes, presence, identity) -> np.ndarray:
  """Boxes in the colours of tracks over a video in [0, 1]."""
  colours = track_colours(np.broadcast_to(identity, presence.shape)) / 255
  arrays = (np.asarray(array, np.float32) for array in (video, boxes, presence, colours))
  return to_uint8(np.asarray(cover_with_boxes(*arrays)))


def _true_segments(truth: np.ndarray, background_ids: Sequence[int]) -> np.ndarray:
  """Labels [T, H, W, 1] in the colours of their boxes, uint8; background and ignored are black."""
  labels = np.asarray(truth, int)[..., 0]
  seen = (labels >= 0) & ~np.isin(labels, list(background_ids))
  colours = track_colours(np.maximum(labels - 1, 0))
  return np.where(seen[..., None], colours, 0).astype(np.uint8)


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
