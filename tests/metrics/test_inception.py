"""The Inception-v3 of the Frechet distance, against an independent one and point by point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.checkpoint_import.inception import import_variables, template
from objectcentric_jax.metrics.inception import (
  FEATURES,
  SIDE,
  SMALLEST_SIDE,
  Inception,
  average_pool,
  inception_features,
  levels,
  max_pool,
  resize_bilinear,
)
from tests.checkpoint_import import inception_network

RNG = np.random.default_rng(0)


def test_features_equal_an_independent_network():
  """All of it, in double precision, on images small enough to be quick and large enough to tell
  the last block's pools, which work on 2 x 3 pixels, from others.
  """
  tensors = inception_network.state_dict()
  image = RNG.uniform(-1, 1, (2, 107, 139, 3))
  with jax.enable_x64(True):
    found = jax.jit(Inception().apply)(import_variables(tensors, "", np.float64), image)
    double = {name: value.astype(np.float64) for name, value in tensors.items()}
    expected = jax.jit(inception_network.features)(double, image.transpose(0, 3, 1, 2))
  found, expected = np.asarray(found), np.asarray(expected)
  assert found.shape == (2, FEATURES) and found.dtype == np.float64
  assert expected.std(1).min() > 0.05  # not all alike
  np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_the_smallest_image():
  def features(height, width):
    image = jax.ShapeDtypeStruct((3, height, width, 3), np.float32)
    return jax.eval_shape(Inception().apply, template(), image).shape

  assert features(SMALLEST_SIDE, 80) == (3, FEATURES)
  with pytest.raises(ValueError, match="of 75 pixels on are needed"):
    features(SMALLEST_SIDE - 1, 80)


def around(image, reduce):
  """reduce(pixels [n, C]) of the 3 x 3 pixels around each pixel that lie inside the image."""
  _, height, width, _ = image.shape
  result = np.empty_like(image)
  for i, picture in enumerate(image):
    for y in range(height):
      for x in range(width):
        inside = picture[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        result[i, y, x] = reduce(inside.reshape(-1, image.shape[3]))
  return result


def test_pools_see_no_padding():
  image = RNG.uniform(-3, -1, (2, 4, 5, 3)).astype(np.float32)  # zeros around would be the maximum
  average = around(image, lambda pixels: pixels.mean(0))
  np.testing.assert_allclose(average_pool(image), average, rtol=1e-6)
  np.testing.assert_array_equal(max_pool(image), around(image, lambda pixels: pixels.max(0)))
  with jax.enable_x64(True):
    assert average_pool(image).dtype == np.float32


def test_levels_are_truncated():
  shares = np.array([0, 0.9999 / 255, 1 / 255, 0.5, 254.99 / 255, 1, 1.5, -0.5], np.float32)
  expected = [0, 0, 1, 127, 254, 255, 255, 0]
  np.testing.assert_array_equal(levels(shares), expected)
  np.testing.assert_array_equal(levels(shares.astype(jnp.bfloat16)[:3]), [0, 0, 1])
  assert np.isnan(levels(np.array([np.nan], np.float32)))
  stored = np.arange(256, dtype=np.uint8)
  np.testing.assert_array_equal(levels(stored), stored)
  # What was stored survives the way through [0, 1].
  np.testing.assert_array_equal(levels(stored / np.float32(255)), stored)


def interpolated(image, side):
  """Bilinear values at the centres of side x side pixels, constant beyond the border."""
  _, height, width, _ = image.shape
  result = np.empty((len(image), side, side, image.shape[3]))
  for y in range(side):
    for x in range(side):
      row = np.clip((y + 0.5) * height / side - 0.5, 0, height - 1)
      column = np.clip((x + 0.5) * width / side - 0.5, 0, width - 1)
      top, left = int(row), int(column)
      bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
      upper = image[:, top, left] * (1 - column + left) + image[:, top, right] * (column - left)
      lower = image[:, bottom, left] * (1 - column + left)
      lower = lower + image[:, bottom, right] * (column - left)
      result[:, y, x] = upper * (1 - row + top) + lower * (row - top)
  return result


@pytest.mark.parametrize("side", [13, 7, 4])
def test_resizing_is_bilinear_between_pixel_centres(side):
  """Larger and smaller; without antialiasing a smaller image skips pixels."""
  image = RNG.uniform(0, 1, (2, 7, 9, 3)).astype(np.float32)
  found = resize_bilinear(image, side)
  np.testing.assert_allclose(found, interpolated(image, side), atol=1e-6)


def test_images_reach_the_network_resized_and_scaled(monkeypatch):
  """Both kinds of image, and what the network is given: 299 x 299 pixels in [-1, 1]."""
  monkeypatch.setattr(Inception, "apply", lambda self, variables, x: x)
  stored = RNG.integers(0, 256, (2, 5, 6, 3)).astype(np.uint8)
  expected = 2 * resize_bilinear(stored / np.float32(255), SIDE) - 1
  found = inception_features(None, stored)
  assert found.shape == (2, SIDE, SIDE, 3) and found.dtype == np.float32
  np.testing.assert_allclose(found, expected, atol=1e-6)
  assert found.min() < -0.9 and found.max() > 0.9
  drawn = ((stored + 0.5) / 255).astype(np.float32)  # half a level more is cut off
  np.testing.assert_allclose(inception_features(None, drawn), found, atol=1e-6)


def test_no_product_is_rounded_further_on_accelerators():
  image = jax.ShapeDtypeStruct((1, 32, 32, 3), np.uint8)
  text = jax.jit(inception_features).lower(template(), image).as_text()
  products = [line for line in text.splitlines() if "convolution(" in line or "dot_general" in line]
  assert len(products) >= 94 + 2
  assert all(line.count("precision HIGHEST") or "HIGHEST" in line for line in products)
