"""Reconstruction metrics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.metrics.image import reconstruction_metrics
from objectcentric_jax.scene import Scene


def test_images():
  rng = np.random.default_rng(0)
  image, made = rng.random((2, 2, 5, 7, 3)).astype(np.float32)
  found = jax.jit(reconstruction_metrics)(Scene(image=made), {"image": image})
  expected = [np.mean((image[b] - made[b]) ** 2) for b in range(2)]
  np.testing.assert_allclose(found["mse"], expected, rtol=1e-6)
  np.testing.assert_allclose(found["rmse"], np.sqrt(expected), rtol=1e-6)


def test_root_is_taken_frame_by_frame():
  made = jnp.zeros((1, 2, 5, 7, 3)).at[0, 1].set(0.6)
  found = reconstruction_metrics(Scene(image=made), {"video": jnp.zeros_like(made)})
  np.testing.assert_allclose(found["mse"], [0.18], rtol=1e-6)
  np.testing.assert_allclose(found["rmse"], [0.3], rtol=1e-6)


def test_bfloat16_reconstruction_is_summed_in_float32():
  made = jnp.full((1, 64, 64, 3), 0.5, jnp.bfloat16)
  found = reconstruction_metrics(Scene(image=made), {"image": jnp.full(made.shape, 0.25)})
  assert found["mse"].dtype == jnp.float32
  np.testing.assert_array_equal(found["mse"], [0.0625])  # no number of the sum is rounded


def test_other_size_is_an_error():
  with pytest.raises(ValueError, match="of an image"):
    reconstruction_metrics(Scene(image=jnp.zeros((2, 1, 4, 3))), {"image": jnp.zeros((2, 4, 4, 3))})
