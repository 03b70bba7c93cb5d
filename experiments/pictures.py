"""Pictures of data and of what a model makes of it. Each kind gives its files: {name: array}."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.plots.grid import grid
from objectcentric_jax.plots.latents import (
  informative_dimensions,
  object_components,
  traversal_figure,
  traverse,
)
from objectcentric_jax.plots.scene import (
  ScenePictures,
  colour_labels,
  component_figure,
  file_name,
  panel_figure,
  scene_figure,
  scene_pictures,
  separate_pictures,
  to_uint8,
)
from objectcentric_jax.plots.video import (
  frames,
  spaced,
  video_animation,
  video_pictures,
  video_strip,
)
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.task import Task

Files = dict[str, np.ndarray]

KINDS = ("data", "reconstruction", "samples", "traversal", "video")  # that every model may have

PER_ROW = 8
DIMENSIONS = 6  # that a traversal varies
OFFSETS = np.linspace(-2, 2, 9)  # of a traversal, in deviations
MEASURED = 32  # images at least over which the deviations are taken


def draw_data(examples: Examples, count: int = 2 * PER_ROW) -> Files:
  """Contact sheet of the first examples, labels below each row of images; a video fills a row."""
  batch = _first(examples, count)
  images = _seen(batch)
  if images.ndim == 5:
    shown = spaced(images.shape[1], PER_ROW)
    groups = [(video, shown) for video in range(len(images))]
  else:
    groups = [slice(start, start + PER_ROW) for start in range(0, len(images), PER_ROW)]
  rows = []
  for group in groups:
    rows.append(list(images[group]))
    if "segmentation" in batch:
      labels = batch["segmentation"][group][..., 0]
      rows.append(list(colour_labels(labels, examples.about["background_ids"])))
  each = len(rows) // len(groups)
  return {"data.png": grid(rows, row_breaks=range(each, len(rows), each))}


def draw_reconstruction(
  task: Task,
  params: Any,
  model_state: Any,
  examples: Examples,
  config: Mapping[str, Any],
  count: int = PER_ROW,
) -> np.ndarray:
  """The first examples of a split: input, labels, reconstruction, segments, masked components.

  Of a video model it shows frames of the first example.
  """
  return scene_figure(_explained(task, params, model_state, examples, config, count))


def draw_reconstructions(
  task: Task,
  params: Any,
  model_state: Any,
  examples: Examples,
  config: Mapping[str, Any],
  count: int = PER_ROW,
  separate: bool = False,
) -> Files:
  """`draw_reconstruction`, and each image taken apart; every picture by itself if `separate`."""
  pictures = _explained(task, params, model_state, examples, config, count)
  return _scene_files(pictures, "reconstruction", "image", separate)


def draw_samples(
  task: Task,
  params: Any,
  model_state: Any,
  seed: int,
  count: int = PER_ROW,
  separate: bool = False,
) -> Files:
  """Scenes drawn from the prior: overview, each taken apart and put together step by step.

  Raises:
    InputError: the model has no prior to draw from.
  """
  if not hasattr(task, "sample"):
    raise InputError("--what samples: this model has no prior to draw scenes from")
  draw = jax.jit(lambda p, s, k: task.sample(p, s, k, count))
  scene = jax.device_get(draw(params, model_state, jax.random.key(seed)))
  pictures = scene_pictures(_still(scene, count)[0])
  return _scene_files(pictures, "samples", "sample", separate)


def draw_traversals(
  task: Task,
  params: Any,
  model_state: Any,
  examples: Examples,
  config: Mapping[str, Any],
  count: int = PER_ROW,
  component: int | None = None,
) -> Files:
  """What the most informative dimensions of one component's latent do to the first images.

  Every dimension starts at the image's posterior mean and is varied in units of its standard
  deviation over images, which is what a prior learns of it.

  Args:
    component: which one, from 1; the largest that is not background when None.

  Raises:
    InputError: the model does not decode latents of images, or has no such component.
  """
  if not hasattr(task, "decode"):
    raise InputError("--what traversal: this model offers no decode(params, model_state, latents)")
  scene, batch = scene_of(task, params, model_state, _first(examples, max(count, MEASURED)), config)
  if scene.latents is None or scene.latents.ndim != 3:
    raise InputError("--what traversal: this model has no latents [K, D] of still images")
  chosen = _chosen_components(scene, component)
  of_chosen = scene.latents[np.arange(len(chosen)), chosen]  # [N, D]
  dimensions, deviations = informative_dimensions(of_chosen, DIMENSIONS)
  decode = jax.jit(task.decode)
  pictures = scene_pictures(scene, _seen(batch))
  titles = [f"{offset:+g}\ndeviations" if offset else "posterior\nmean" for offset in OFFSETS]
  files = {}
  for i in range(min(count, len(chosen))):
    rows = {}
    for dimension, deviation in zip(dimensions, deviations, strict=True):
      varied = traverse(scene.latents[i], chosen[i], dimension, OFFSETS * deviation)
      decoded = jax.device_get(decode(params, model_state, varied))
      rows[f"dimension {dimension + 1}\ndeviation {deviation:.2g}"] = to_uint8(decoded.image)
    overview = {name: stack[i] for name, stack in pictures.whole.items()}
    if "masked" in pictures.parts:
      overview[f"component {chosen[i] + 1}"] = pictures.parts["masked"][i, chosen[i]]
    files[f"traversal-{i:03}.png"] = traversal_figure(overview, rows, titles)
  return files


def draw_videos(
  task: Task,
  params: Any,
  model_state: Any,
  examples: Examples,
  config: Mapping[str, Any],
  count: int = PER_ROW,
  kind: str = "gif",
) -> Files:
  """The first videos, each as an animation (a file of this kind) and as a strip of frames.

  Raises:
    InputError: the model or the data are of still images.
  """
  batch = _first(examples, count)
  if _seen(batch).ndim != 5:
    raise InputError(f"--what video: dataset {examples.about['name']} has still images, no videos")
  scene, batch = scene_of(task, params, model_state, batch, config)
  if scene.image.ndim != 5:
    raise InputError("--what video: this model explains still images, not videos")
  files = {}
  for i in range(len(scene.image)):
    pictures = video_pictures(scene, i, batch, examples.about.get("background_ids", ()))
    files[f"video-{i:03}.{kind}"] = video_animation(pictures)
    files[f"video-{i:03}.png"] = video_strip(pictures)
  return files


def draw_panels(
  task: Task,
  params: Any,
  model_state: Any,
  examples: Examples,
  config: Mapping[str, Any],
  count: int,
  name: str,
  separate: bool = False,
) -> Files:
  """Pictures that the model itself offers: the first examples side by side, or a figure each.

  Raises:
    InputError: it offers none of that name.
  """
  panels = getattr(task, "panels", {})
  if name not in panels:
    known = ", ".join((*KINDS, *panels))
    raise InputError(f"--what is {name!r}, which this model does not offer; choose one of {known}")

  @jax.jit
  def explain(params, model_state, batch):
    key = jax.random.key(config["eval"]["seed"])
    return OrderedDict(panels[name](params, model_state, as_float(batch), key))

  rows = jax.device_get(explain(params, model_state, _first(examples, count)))
  rows = {row: to_uint8(pictures) for row, pictures in rows.items()}
  if all(pictures.ndim == 4 for pictures in rows.values()):
    figures = {name: rows}
  else:
    of = lambda p, i: p[i : i + 1] if p.ndim == 4 else p[i]  # noqa: E731
    figures = {
      f"{name}-{i:03}": {row: of(pictures, i) for row, pictures in rows.items()}
      for i in range(len(next(iter(rows.values()))))
    }
  files = {f"{file}.png": panel_figure(figure) for file, figure in figures.items()}
  if separate:
    for file, figure in figures.items():
      for row, pictures in figure.items():
        files |= {f"{file}_{file_name(row)}-{k:02}.png": p for k, p in enumerate(pictures)}
  return files


def scene_of(
  task: Task, params: Any, model_state: Any, batch: Mapping, config: Mapping[str, Any]
) -> tuple[Scene, dict[str, np.ndarray]]:
  """The model's scene of a batch, and the batch with images in [0, 1], on the host."""
  settings = config["eval"]

  @jax.jit
  def explain(params, model_state, batch):
    batch, key = as_float(batch), jax.random.key(settings["seed"])
    return task.scene(params, model_state, batch, key, settings["sample"]), batch

  return jax.device_get(explain(params, model_state, batch))


def _explained(task, params, model_state, examples, config, count) -> ScenePictures:
  """Pictures of the first examples, or of frames of the first where they are videos."""
  batch = _first(examples, count)
  if _seen(batch).ndim == 5:
    batch = {name: array[:1] for name, array in batch.items()}
  scene, batch = scene_of(task, params, model_state, batch, config)
  scene, shown = _still(scene, count)
  image, truth = _seen(batch), batch.get("segmentation")
  if shown is not None:
    image, truth = image[0][shown], None if truth is None else truth[0][shown]
  return scene_pictures(scene, image, truth, examples.about.get("background_ids", ()))


def _chosen_components(scene: Scene, component: int | None) -> np.ndarray:
  """Which component of each scene to vary, [B], from 0."""
  if component is None:
    return object_components(scene)
  count, slots = scene.latents.shape[:2]
  if component > slots:
    raise InputError(f"--component is {component}: this model has {slots} components")
  return np.full(count, component - 1)


def _still(scene: Scene, count: int) -> tuple[Scene, np.ndarray | None]:
  """The scene where it is of images; else frames of its first video, and which ones."""
  explained = scene.masks[:, :, 0] if scene.image is None else scene.image
  if explained.ndim == 4:
    return scene, None
  shown = spaced(explained.shape[1], count)
  return jax.tree.map(lambda x: x[shown], frames(scene, 0)), shown


def _scene_files(pictures: ScenePictures, overview: str, single: str, separate: bool) -> Files:
  files = {f"{overview}.png": scene_figure(pictures)}
  for i in range(len(next(iter(pictures.whole.values())))):
    if pictures.parts:
      files[f"{overview}-{i:03}.png"] = component_figure(pictures, i)
    if separate:
      parts = separate_pictures(pictures, i)
      files |= {f"{single}-{i:03}_{name}.png": picture for name, picture in parts.items()}
  return files


def _first(examples: Examples, count: int) -> dict[str, np.ndarray]:
  """The first examples; of one group where they have groups."""
  indices = np.arange(len(examples))
  if examples.groups is not None:
    indices = np.flatnonzero(examples.groups == examples.groups[0])
  return examples.read(indices[:count])


def _seen(batch: Mapping[str, np.ndarray]) -> np.ndarray:
  """What a model explains of a batch: its images [B, H, W, C] or videos [B, T, H, W, C]."""
  for name in ("video", "image"):
    if name in batch:
      return batch[name]
  raise InputError(f"config.data.fields has {', '.join(batch)}, but no image or video to draw")
