"""Latent traversals: which component and dimensions to vary, by how much, and their figure."""

from collections.abc import Mapping, Sequence

import numpy as np

from objectcentric_jax.plots.grid import below, grid
from objectcentric_jax.scene import Scene


def object_components(scene: Scene) -> np.ndarray:
  """The component of each scene that most likely shows an object: [B] indices, from 0.

  It is the one with the largest share of the image that is not background. Where the model does not
  say what is background, the component with the largest share of all is taken for it.

  Args:
    scene: of images, [B, ...], with latents.
  """
  count, slots = np.shape(scene.latents)[:2]
  if scene.masks is None or slots == 1:
    return np.zeros(count, int)
  shares = np.asarray(scene.masks).mean((2, 3, 4))  # [B, K]
  if scene.background is None:
    background = shares == shares.max(1, keepdims=True)
  else:
    background = np.broadcast_to(np.asarray(scene.background, bool), shares.shape)
  return np.where(background, -1.0, shares).argmax(1)


def informative_dimensions(latents: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
  """The dimensions whose posterior means differ most between images, most informative first.

  A dimension that the model does not use has the same posterior, the prior, for every image.

  Args:
    latents: [N, D] posterior means, one component of each image.
    count: how many dimensions at most.

  Returns:
    Indices of the dimensions, and the standard deviation of each over the images.
  """
  deviations = np.asarray(latents, np.float64).std(0)
  order = np.argsort(-deviations, kind="stable")[:count]
  return order, deviations[order]


def traverse(
  latents: np.ndarray, component: int, dimension: int, offsets: Sequence[float]
) -> np.ndarray:
  """Latents [K, D] of one scene with each offset added to a single number: [V, K, D]."""
  varied = np.repeat(np.asarray(latents)[None], len(offsets), axis=0)
  varied[:, component, dimension] += np.asarray(offsets, varied.dtype)
  return varied


def traversal_figure(
  overview: Mapping[str, np.ndarray],
  rows: Mapping[str, Sequence[np.ndarray]],
  column_labels: Sequence[str],
) -> np.ndarray:
  """One scene, and below it a row for each dimension that was varied.

  Args:
    overview: pictures [H, W, 3] uint8 of the scene by name.
    rows: pictures [H, W, 3] uint8, one a value, by the name of the dimension.
    column_labels: the values.

  Returns:
    [h, w, 3] uint8.
  """
  scene = grid([list(overview.values())], column_labels=list(overview))
  return below([scene, grid(list(rows.values()), list(rows), column_labels)])
