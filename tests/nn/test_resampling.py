"""Bilinear resampling against its definition, pixel by pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn import resampling
from objectcentric_jax.nn.resampling import doubled, resize_bilinear

RNG = np.random.default_rng(0)


def resampled(row, target):
  """One row of pixels by PyTorch's formula for aligned corners."""
  scale = (len(row) - 1) / (target - 1) if target > 1 else 0.0
  result = []
  for i in range(target):
    low = min(int(i * scale), len(row) - 1)
    high, share = min(low + 1, len(row) - 1), i * scale - low
    result.append((1 - share) * row[low] + share * row[high])
  return np.array(result)


@pytest.mark.parametrize(("size", "target"), [(4, 16), (5, 9), (16, 4), (1, 6), (3, 1), (7, 7)])
def test_each_axis_equals_its_definition(size, target):
  image = RNG.standard_normal((2, size, 3, 2))
  expected = np.apply_along_axis(resampled, 1, image, target)
  found = resize_bilinear(jnp.asarray(image), target, 3)
  np.testing.assert_allclose(found, expected, atol=2e-6)
  turned = resize_bilinear(jnp.asarray(image.swapaxes(1, 2)), 3, target)
  np.testing.assert_allclose(turned, expected.swapaxes(1, 2), atol=2e-6)


def test_single_precision_looks_at_places_that_are_rounded_to_it():
  """As PyTorch does: a ramp shows the places, of which those far out are the least exact."""
  ramp = np.arange(200.0).reshape(1, -1, 1, 1)
  scale = np.float32(199) / np.float32(399)
  rounded, exact = np.arange(400, dtype=np.float32) * scale, np.arange(400) * 199 / 399
  assert 5e-6 < np.abs(rounded - exact).max() < 5e-5
  found = doubled(jnp.asarray(ramp, jnp.float32), 1)[0, :, 0, 0]
  assert np.abs(found - rounded).max() < np.abs(found - exact).max()
  with jax.enable_x64(True):
    np.testing.assert_allclose(doubled(jnp.asarray(ramp), 1)[0, :, 0, 0], exact, rtol=1e-14)


@pytest.mark.parametrize("axis", [1, 2])
def test_slices_do_what_the_matrix_does(axis):
  image = jnp.asarray(RNG.standard_normal((2, 6, 5, 3)), jnp.float32)
  by_matrix, by_slices = doubled(image, axis), resampling._doubled_by_slices(image, axis)
  np.testing.assert_allclose(by_slices, by_matrix, atol=1e-6)
  gradients = [
    jax.grad(lambda x, f=f: jnp.sin(f(x, axis)).sum())(image)
    for f in (doubled, resampling._doubled_by_slices)
  ]
  np.testing.assert_allclose(*gradients, atol=1e-5)


def test_wide_pictures_are_doubled_by_slices(monkeypatch):
  monkeypatch.setattr(resampling, "DENSE", 4)
  image = jnp.asarray(RNG.standard_normal((1, 5, 2, 1)), jnp.float32)
  expected = np.apply_along_axis(resampled, 1, np.asarray(image), 10)
  assert "dot" not in jax.jit(lambda x: doubled(x, 1)).lower(image).as_text()
  np.testing.assert_allclose(doubled(image, 1), expected, atol=1e-6)
