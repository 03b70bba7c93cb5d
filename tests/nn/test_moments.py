"""From raw outputs to mean and deviation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.moments import (
  at_least_float32,
  posterior_deviation,
  posterior_moments,
  prior_moments,
)

RAW = np.array([[-40.0, 0.3, 2.0, -60.0, -0.5, 30.0]], np.float32)  # three means, three deviations


def softplus(x):
  return np.logaddexp(0.0, np.float64(x))


def test_posterior():
  mean, deviation = posterior_moments(jnp.asarray(RAW))
  np.testing.assert_array_equal(mean, RAW[:, :3])
  np.testing.assert_allclose(deviation, softplus(RAW[:, 3:] + 0.5) + 1e-8, rtol=1e-6)
  assert (np.asarray(deviation) > 0).all()  # even where softplus is zero
  np.testing.assert_array_equal(deviation, posterior_deviation(jnp.asarray(RAW[:, 3:])))


@pytest.mark.parametrize("squash", [True, False])
def test_prior(squash):
  mean, deviation = prior_moments(jnp.asarray(RAW), squash)
  expected = np.tanh(RAW[:, :3]) if squash else RAW[:, :3]
  np.testing.assert_allclose(mean, expected, rtol=1e-6)
  sigmoid = 1 / (1 + np.exp(-(RAW[:, 3:].astype(np.float64) + 4)))
  np.testing.assert_allclose(deviation, sigmoid + 1e-4, rtol=1e-6)


def test_a_prior_starts_near_the_standard_normal():
  """Raw outputs near zero, as at the start of training."""
  mean, deviation = prior_moments(jnp.zeros((1, 2)))
  assert float(mean[0, 0]) == 0 and float(deviation[0, 0]) == pytest.approx(0.98211, abs=1e-5)


def test_low_precision_is_raised_and_high_kept():
  assert at_least_float32(jnp.zeros(2, jnp.bfloat16)).dtype == jnp.float32
  for moments in (posterior_moments, prior_moments):
    for part in moments(jnp.asarray(RAW, jnp.bfloat16)):
      assert part.dtype == jnp.float32
  with jax.enable_x64(True):
    for part in posterior_moments(np.asarray(RAW, np.float64)):
      assert part.dtype == np.float64
