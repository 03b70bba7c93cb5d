"""Patches and residual connections between different widths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.patches import (
  PatchDownscale,
  PatchEmbedding,
  PatchReconstruction,
  PatchUpscale,
  average_patches,
  enlarge,
  from_patches,
  largest_in_patches,
  match_width,
  to_patches,
)

IMAGE = jnp.arange(2 * 4 * 6 * 3, dtype=jnp.float32).reshape(2, 4, 6, 3)


def test_patches_are_flattened_row_column_channel_and_back():
  patches = to_patches(IMAGE, 2)
  assert patches.shape == (2, 2, 3, 12)
  np.testing.assert_array_equal(patches[1, 1, 2].reshape(2, 2, 3), IMAGE[1, 2:4, 4:6])
  np.testing.assert_array_equal(from_patches(patches, 2), IMAGE)


def test_average_and_largest_of_patches():
  block = IMAGE[1, 2:4, 4:6].reshape(-1, 3)
  np.testing.assert_allclose(average_patches(IMAGE, 2)[1, 1, 2], block.mean(0))
  np.testing.assert_array_equal(largest_in_patches(IMAGE, 2)[1, 1, 2], block.max(0))


def test_enlarged_pixels_are_repeated():
  np.testing.assert_array_equal(enlarge(IMAGE, 2)[:, ::2, 1::2], IMAGE)


@pytest.mark.parametrize(
  ("features", "expected"),
  [
    (6, [1, 2, 3, 4, 5, 6]),
    (3, [1.5, 3.5, 5.5]),
    (12, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]),
    (4, [2, 2, 5, 5]),  # through two channels
  ],
)
def test_widths_are_matched_by_means_and_repetition(features, expected):
  x = jnp.arange(1.0, 7.0)[None]
  np.testing.assert_allclose(match_width(x, features)[0], expected)


def run(layer, x):
  return layer.init_with_output(jax.random.key(0), x)


@pytest.mark.parametrize(
  ("layer", "shape"),
  [
    (PatchDownscale(6, 2), (2, 2, 3, 6)),
    (PatchDownscale(5, 2), (2, 2, 3, 5)),
    (PatchEmbedding(5, 2), (2, 2, 3, 5)),
    (PatchReconstruction(5, 2), (2, 8, 12, 5)),
    (PatchUpscale(1, 2), (2, 8, 12, 1)),
  ],
  ids=lambda value: type(value).__name__,
)
def test_shapes(layer, shape):
  assert run(layer, IMAGE)[0].shape == shape


def test_residual_connections_are_all_that_is_left_without_weights():
  zeros = lambda params: jax.tree.map(jnp.zeros_like, params)  # noqa: E731
  down, up = PatchDownscale(6, 2), PatchUpscale(1, 2)
  found = down.apply(zeros(run(down, IMAGE)[1]), IMAGE)
  np.testing.assert_allclose(found, match_width(average_patches(IMAGE, 2), 6))
  found = up.apply(zeros(run(up, IMAGE)[1]), IMAGE)
  np.testing.assert_allclose(found, enlarge(IMAGE.mean(-1, keepdims=True), 2))
  odd = PatchDownscale(5, 2)  # no multiple of three channels
  np.testing.assert_array_equal(odd.apply(zeros(run(odd, IMAGE)[1]), IMAGE), 0)


def test_hidden_layers_follow_the_wider_side():
  params = run(PatchEmbedding(2, 2, expansion=5), IMAGE)[1]["params"]["bottleneck"]
  assert params["inner"]["kernel"].shape == (12, 15)
  params = run(PatchReconstruction(2, 4, expansion=2), IMAGE)[1]["params"]["bottleneck"]
  assert params["outer"]["kernel"].shape == (6, 32)
  assert not params["outer"]["bias"].any()
