"""Which scores fit a model and its data."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from objectcentric_jax.errors import InputError
from objectcentric_jax.evaluation import Metric, SetMetric
from objectcentric_jax.metrics import tracking
from objectcentric_jax.metrics.average_precision import detection_scores, detections
from objectcentric_jax.metrics.image import reconstruction_metrics
from objectcentric_jax.metrics.segmentation import segmentation_metrics
from objectcentric_jax.metrics.suppression import suppress_duplicates
from objectcentric_jax.metrics.video import video_metrics
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.task import Batch

FOLLOWED = ("boxes", "masks")


def fitting_metrics(
  scene_of: Callable[[], Scene],
  batch: Batch,
  about: Mapping[str, Any],
  settings: Mapping[str, Any],
) -> list[Metric | SetMetric]:
  """The scores that can be computed of scenes and batches with these fields.

  Args:
    scene_of: gives shapes of what the model says about the batch, which takes a second or two; only
      asked where it matters.
    batch: shapes are enough.
    about: of the examples, see `objectcentric_jax.input.arrays.Examples`.
    settings: `config.eval`.

  Raises:
    InputError: a setting that cannot be used, or a library that the scores need is missing.
  """
  metrics: list[Metric | SetMetric] = [reconstruction_metrics]
  labels = {}
  if "labels" in about:
    labels = {"labels": about["labels"], "background_ids": tuple(about["background_ids"])}
    metrics.append(partial(segmentation_metrics, **labels))
  is_video = "video" in batch
  if is_video and labels:
    metrics.append(partial(video_metrics, **labels))
  followed = _followed(settings["tracking"]) if is_video else ()
  if "bboxes" in batch:
    scene = scene_of()
    if scene.boxes is not None and scene.presence is not None:
      metrics.append(SetMetric(detections, detection_scores))
      if "boxes" in followed and scene.identity is not None:
        metrics.append(SetMetric(tracking.box_tracks, _tracking_scores(settings)))
  if "masks" in followed and labels:
    observe = partial(tracking.mask_tracks, **labels)
    metrics.append(SetMetric(observe, _tracking_scores(settings, "mask_")))
  return metrics


def prepared(settings: Mapping[str, Any]) -> Callable[[Scene], Scene]:
  """What happens to scenes before they are scored or exported.

  Raises:
    InputError: `settings["suppress_overlap"]` is not in [0, 1).
  """
  overlap = settings["suppress_overlap"]
  if not 0 <= overlap < 1:
    raise InputError(f"config.eval.suppress_overlap is {overlap}: from 0 (keep all) to below 1")

  def prepare(scene: Scene) -> Scene:
    if not overlap or scene.boxes is None or scene.presence is None:
      return scene
    return suppress_duplicates(scene, overlap)

  return prepare


def of_prepared(metric: Metric | SetMetric, prepare: Callable[[Scene], Scene]):
  """The metric of prepared scenes."""
  if isinstance(metric, SetMetric):
    observe = metric.observe
    return metric._replace(observe=lambda scene, batch: observe(prepare(scene), batch))
  return lambda scene, batch: metric(prepare(scene), batch)


def _followed(chosen) -> tuple[str, ...]:
  for what in chosen:
    if what not in FOLLOWED:
      known = " and ".join(FOLLOWED)
      raise InputError(f"config.eval.tracking names {what!r}; what can be followed: {known}")
  return tuple(chosen)


def _tracking_scores(settings: Mapping[str, Any], prefix: str = ""):
  tracking.require_library()  # now, not after a training
  least, first = settings["match_overlap"], settings["first_frame"]

  def scores(tracks):
    found = tracking.tracking_scores(tracks, least, first)
    return {prefix + name: value for name, value in found.items()}

  return scores
