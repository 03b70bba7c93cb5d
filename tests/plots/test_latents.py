"""Latent traversals: what is varied, and by how much."""

import numpy as np
import pytest

from objectcentric_jax.plots.latents import (
  informative_dimensions,
  object_components,
  traversal_figure,
  traverse,
)
from objectcentric_jax.scene import Scene
from tests.plots.cells import cells


def scene(*shares, **others):
  """Scenes whose K components cover these shares of an image of 10 pixels."""
  masks = np.zeros((len(shares), len(shares[0]), 2, 5, 1), np.float32)
  for one, share in zip(masks, shares, strict=True):
    owner = np.repeat(np.arange(len(share)), share).reshape(2, 5)
    one[..., 0] = owner == np.arange(len(share)).reshape(-1, 1, 1)
  latents = np.zeros((*masks.shape[:2], 7))
  return Scene(image=masks.sum(1), masks=masks, latents=latents, **others)


def test_the_largest_component_that_is_not_background_is_varied():
  shares = (6, 1, 3), (4, 5, 1), (0, 10, 0)
  assert object_components(scene(*shares)).tolist() == [2, 0, 0]
  for_all = np.array([False, True, True])
  assert object_components(scene(*shares, background=for_all)).tolist() == [0, 0, 0]
  each = np.array([[True, False, False], [False, True, False], [True, False, False]])
  assert object_components(scene(*shares, background=each)).tolist() == [2, 0, 1]


def test_a_model_of_one_component_varies_it():
  assert object_components(scene((10,), (10,))).tolist() == [0, 0]
  assert object_components(scene((9, 1)).replace(masks=None)).tolist() == [0]


def test_dimensions_are_ordered_by_how_much_they_differ_between_images():
  draws = np.random.default_rng(0).standard_normal((50, 4))
  latents = 3 + draws * [0.1, 2.0, 0.0, 1.0]
  dimensions, deviations = informative_dimensions(latents, 3)
  assert dimensions.tolist() == [1, 3, 0]
  np.testing.assert_allclose(deviations, latents.std(0)[[1, 3, 0]])
  assert informative_dimensions(latents, 9)[0].tolist() == [1, 3, 0, 2]


def test_one_number_is_varied():
  latents = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
  varied = traverse(latents, 2, 4, [-1.0, 0.0, 0.5, 2.0])
  assert varied.shape == (4, 3, 5) and varied.dtype == np.float32
  np.testing.assert_array_equal(varied[1], latents)
  np.testing.assert_allclose(varied[:, 2, 4], latents[2, 4] + [-1, 0, 0.5, 2], rtol=1e-6)
  varied[:, 2, 4] = latents[2, 4]
  np.testing.assert_array_equal(varied, np.broadcast_to(latents, varied.shape))


def test_figure_shows_the_scene_above_the_rows():
  grey = [np.full((32, 48, 3), shade, np.uint8) for shade in range(0, 80, 10)]
  rows = {"dimension 3\ndeviation 1": grey[2:5], "dimension 1\ndeviation 0.5": grey[5:8]}
  figure = traversal_figure({"input": grey[0], "reconstruction": grey[1]}, rows, ["-1", "0", "1"])
  found = [upper[0] for upper, lower in cells(figure, 96, 144) if upper == lower]
  assert found == list(range(0, 80, 10))
  with pytest.raises(ValueError, match="column labels"):
    traversal_figure({"input": grey[0]}, rows, ["-1", "1"])
