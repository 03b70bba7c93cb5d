"""How well boxes or masks follow labelled objects through a video.

The CLEAR MOT scores (Bernardin and Stiefelhagen, 2008), identity scores (Ristani et al., 2016) and
shares of tracks (Wu and Nevatia, 2006), by the library motmetrics. What overlaps what is computed
on the device, who is matched with whom on the host.
"""

import types
from collections.abc import Mapping

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.average_precision import (
  PRESENT,
  check_boxes,
  corners,
  intersection_over_union,
  real_boxes,
)
from objectcentric_jax.metrics.component_tracks import component_tracks
from objectcentric_jax.metrics.contingency import frame_contingency
from objectcentric_jax.metrics.segmentation import check_segmentation, predicted_labels
from objectcentric_jax.scene import Scene

Array = jax.Array

MATCHABLE = 0.5  # least intersection over union of a box with the object it follows
# As in the benchmark of Weis et al. (JMLR 2021).
SMALLEST_MASK = 6  # pixels; smaller ones are left out
BACKGROUND_OVERLAP = 0.2  # a component that overlaps the true background by more is background
_NAMES = {
  "mota": "mota",
  "idf1": "idf1",
  "id_switches": "num_switches",
  "mostly_tracked": "mostly_tracked",
  "partially_tracked": "partially_tracked",
  "mostly_lost": "mostly_lost",
  "miss_rate": "num_misses",
  "false_positive_rate": "num_false_positives",
}
_OF_TRACKS = ("mostly_tracked", "partially_tracked", "mostly_lost")
_OF_OBJECTS = ("miss_rate", "false_positive_rate")


@flax.struct.dataclass
class Tracks:
  """What is to be known of B videos of T frames to match M objects with N tracked things.

  Attributes:
    overlap: [B, T, M, N] intersection over union.
    objects: [B, T, M] bool: which objects are in a frame. An object has one place in all frames.
    found: [B, T, N] bool: which tracked things are.
    identity: [B, T, N] integer: things of one identity are one track.
  """

  overlap: Array
  objects: Array
  found: Array
  identity: Array


def box_tracks(scene: Scene, batch: Mapping[str, Array]) -> Tracks:
  """The tracks of boxes.

  Args:
    scene: of videos; has `boxes` [B, T, N, 4], `presence` and `identity` [B, T, N].
    batch: has "bboxes" [B, T, M, 4]; an object without area is not in the frame.

  Raises:
    InputError: the scene has no boxes with an identity, or the batch no boxes.
  """
  check_boxes(scene, batch)
  if scene.identity is None:
    raise InputError("tracking metrics: this model's boxes have no identity; leave them out")
  overlap = jax.vmap(intersection_over_union)(batch["bboxes"], corners(scene.boxes))
  return Tracks(overlap, real_boxes(batch["bboxes"]), scene.presence > PRESENT, scene.identity)


def mask_tracks(
  scene: Scene,
  batch: Mapping[str, Array],
  labels: int,
  background_ids: tuple[int, ...] = (0,),
) -> Tracks:
  """The tracks of segments, as Weis et al. (JMLR 2021) score them: a component is a track.

  Where components have an identity, that is the track.

  A pixel is the component's with the largest mask. True and found segments of a few pixels are left
  out, and components that are the scene's background or overlap the true one.

  Args:
    scene: of videos; has `masks` [B, T, K, H, W, 1].
    batch: has "segmentation" [B, T, H, W, 1], integer in [0, labels); negative is ignored.
    labels: number of true labels, background included.
    background_ids: the true labels that are background.

  Raises:
    InputError: the scene has no masks of videos, or the batch no labels that go with them.
  """
  check_segmentation(scene, batch, labels, background_ids)
  count = scene.masks.shape[-4]
  truth = jnp.asarray(batch["segmentation"], jnp.int32)
  table = frame_contingency(truth, predicted_labels(scene.masks), labels, count)  # [B, T, L, K]
  true_sizes, sizes = table.sum(-1), table.sum(-2)
  union = true_sizes[..., None] + sizes[..., None, :] - table
  overlap = table / jnp.maximum(union, 1)
  behind = np.isin(np.arange(labels), background_ids)
  behind_table = table[..., behind, :].sum(-2)  # [B, T, K]
  behind_union = behind_table.sum(-1, keepdims=True) + sizes - behind_table
  is_behind = behind_table > BACKGROUND_OVERLAP * behind_union
  if scene.background is not None:
    background = jnp.broadcast_to(scene.background, (len(table), count))
    is_behind |= background[:, None]
  return Tracks(
    overlap=overlap[..., ~behind, :],
    objects=true_sizes[..., ~behind] >= SMALLEST_MASK,
    found=(sizes >= SMALLEST_MASK) & ~is_behind,
    identity=component_tracks(scene),
  )


def tracking_scores(
  tracks: Tracks, overlap: float = MATCHABLE, first_frame: int = 0
) -> dict[str, float]:
  """The scores of all videos together.

  Names: `mota`, 1 less misses, false positives and switches as a share of all objects in all
  frames; `motp`, the mean intersection over union of what is matched, 0 where nothing is; `idf1`;
  `id_switches`, how often an object's identity changes; `miss_rate` and `false_positive_rate`, as
  shares of all objects in all frames; `mostly_tracked`, `partially_tracked` and `mostly_lost`,
  shares of the true tracks that are found in at least 80 %, in between, and in less than 20 % of
  their frames, under whichever identity; `true_tracks`, their number.

  Args:
    tracks: of all videos, numpy arrays.
    overlap: least intersection over union of a match.
    first_frame: earlier ones do not count; 2 in the benchmark of Weis et al. (JMLR 2021).

  Raises:
    InputError: motmetrics is not installed, or no frame that counts has an object.
  """
  library = require_library()
  tracks = jax.tree.map(lambda array: np.asarray(array)[:, first_frame:], tracks)
  if not tracks.objects.any():
    raise InputError(
      f"tracking metrics: no video has an object from frame {first_frame} on; choose other data, "
      "or an earlier config.eval.first_frame"
    )
  videos = [_accumulated(library, tracks, n, overlap) for n in range(len(tracks.objects))]
  of_matches = ["motp", "num_detections"]
  wanted = [*_NAMES.values(), *of_matches, "num_objects", "num_unique_objects"]
  names = [str(n) for n in range(len(videos))]
  table = library.metrics.create().compute_many(
    videos, metrics=wanted, names=names, generate_overall=True
  )
  total = table.loc["OVERALL"]
  scores = {name: float(total[theirs]) for name, theirs in _NAMES.items()}
  scores |= {name: scores[name] / total["num_unique_objects"] for name in _OF_TRACKS}
  scores |= {name: scores[name] / total["num_objects"] for name in _OF_OBJECTS}
  # The library's total is not a number as soon as one video has no match.
  distance, matches = table.loc[names, of_matches].to_numpy(float).T
  scores["motp"] = 1 - np.nansum(distance * matches) / matches.sum() if matches.any() else 0.0
  scores["true_tracks"] = float(total["num_unique_objects"])
  return {name: float(value) for name, value in scores.items()}


def _accumulated(library: types.ModuleType, tracks: Tracks, video: int, least: float):
  """What motmetrics notes of the frames of a video."""
  events = library.MOTAccumulator(auto_id=True)
  for t in range(tracks.objects.shape[1]):
    objects, found = np.flatnonzero(tracks.objects[video, t]), tracks.found[video, t]
    shared = tracks.overlap[video, t][np.ix_(objects, np.flatnonzero(found))]
    distance = np.where(shared < least, np.nan, 1.0 - shared)
    events.update(objects, tracks.identity[video, t][found], distance)
  return events


def require_library() -> types.ModuleType:
  """The library of the scores.

  Raises:
    InputError: it is not installed.
  """
  try:
    import motmetrics
  except ImportError:
    raise InputError(
      "tracking metrics need the package motmetrics: pip install 'objectcentric_jax[tracking]', "
      "or pip install motmetrics; or leave them out by --config.eval.tracking='()'"
    ) from None
  return motmetrics
