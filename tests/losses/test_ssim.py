"""Structural similarity: hand-made pictures, weights, gradients at kinks."""

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.losses.ssim import dissimilarity, l1_ssim, ycbcr_l2_ssim

RNG = np.random.default_rng(0)
FIRST, SECOND = (jnp.asarray(RNG.uniform(size=(2, 5, 7, 3)), jnp.float32) for _ in range(2))


def test_by_definition_at_one_pixel():
  x, y = (np.asarray(p, np.float64)[1, 1:4, 2:5, 0] for p in (FIRST, SECOND))
  covariance = (x * y).mean() - x.mean() * y.mean()
  above = (2 * x.mean() * y.mean() + 1e-4) * (2 * covariance + 9e-4)
  below = (x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (x.var() + y.var() + 9e-4)
  found = dissimilarity(FIRST, SECOND)
  assert found.shape == FIRST.shape
  np.testing.assert_allclose(found[1, 2, 3, 0], (1 - above / below) / 2, rtol=1e-4)


def test_equal_pictures_have_no_loss_and_no_gradient():
  weights = jnp.ones((2, 5, 7, 1))
  for loss in (l1_ssim, ycbcr_l2_ssim):
    value, gradient = jax.value_and_grad(lambda x, f=loss: f(x, FIRST, weights)[0].sum())(FIRST)
    np.testing.assert_allclose(value, 0, atol=1e-5)
    np.testing.assert_allclose(gradient, 0, atol=1e-4)


def test_only_weighted_pixels_count():
  weights = jnp.zeros((2, 5, 7, 1)).at[:, 1:3, 2:4].set(1.0)
  far = FIRST.at[:, 4, 6].set(0.0)  # further away than the windows reach
  for loss in (l1_ssim, ycbcr_l2_ssim):
    whole, *parts = loss(FIRST, SECOND, weights)
    assert whole.shape == (2,)
    np.testing.assert_array_equal(whole, loss(far, SECOND, weights)[0])
    assert all((part > 0).all() for part in parts)


def test_the_target_of_colours_gets_no_gradient():
  weights = jnp.ones((2, 5, 7, 1))
  gradient = jax.grad(lambda y: ycbcr_l2_ssim(FIRST, y, weights)[0].sum())(SECOND)
  np.testing.assert_array_equal(gradient, 0)
