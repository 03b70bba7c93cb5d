"""Pictures of what a model makes of data."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from objectcentric_jax.batch import as_float
from objectcentric_jax.input.examples import Examples
from objectcentric_jax.plots.scene import colour_labels, grid, scene_figure, to_uint8
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.task import Task

PER_ROW = 8


def draw_data(examples: Examples, count: int = 2 * PER_ROW) -> np.ndarray:
  """Contact sheet of the first examples, labels below each row of images."""
  batch = _first(examples, count)
  rows = []
  for start in range(0, count, PER_ROW):
    part = slice(start, start + PER_ROW)
    rows.append(list(batch["image"][part]))
    if "segmentation" in batch:
      labels = batch["segmentation"][part][..., 0]
      rows.append(list(colour_labels(labels, examples.about["background_ids"])))
  return grid(rows)


def draw_reconstruction(
  task: Task,
  params: Any,
  model_state: Any,
  examples: Examples,
  config: Mapping[str, Any],
  count: int = PER_ROW,
) -> np.ndarray:
  """The first examples of a split: image, labels, reconstruction, segments, components."""
  batch = _first(examples, count)
  scene, image = scene_of(task, params, model_state, batch, config)
  background = examples.about.get("background_ids", ())
  return scene_figure(image, scene, batch.get("segmentation"), count, background)


def scene_of(
  task: Task, params: Any, model_state: Any, batch: Mapping, config: Mapping[str, Any]
) -> tuple[Scene, np.ndarray]:
  """The model's scene of a batch and the images in [0, 1], on the host."""
  settings = config["eval"]

  @jax.jit
  def explain(params, model_state, batch):
    batch, key = as_float(batch), jax.random.key(settings["seed"])
    scene = task.scene(params, model_state, batch, key, settings["sample"])
    return scene, batch["image"]

  return jax.device_get(explain(params, model_state, batch))


def draw_samples(
  task: Task, params: Any, model_state: Any, seed: int, count: int = PER_ROW
) -> np.ndarray:
  """Scenes drawn from the prior, with their components."""
  draw = jax.jit(lambda p, s, k: task.sample(p, s, k, count))
  scene = jax.device_get(draw(params, model_state, jax.random.key(seed)))
  masked = to_uint8(scene.masks * scene.components)  # [N, K, H, W, 3]
  images, segments = to_uint8(scene.image), colour_labels(scene.masks.argmax(1)[..., 0])
  rows = [[images[i], segments[i], *masked[i]] for i in range(count)]
  titles = ["sample", "segments", *(str(k + 1) for k in range(masked.shape[1]))]
  return grid(rows, column_labels=titles, breaks=(2,))


def _first(examples: Examples, count: int) -> dict[str, np.ndarray]:
  return examples.read(np.arange(min(count, len(examples))))
