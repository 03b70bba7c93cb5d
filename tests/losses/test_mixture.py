"""The mixture likelihood against the published formula in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from objectcentric_jax.losses.mixture import mixture_error


@pytest.fixture(scope="module")
def scene():
  rng = np.random.default_rng(0)
  image = rng.uniform(size=(2, 4, 5, 3)).astype(np.float32)
  components = rng.uniform(size=(2, 6, 4, 5, 3)).astype(np.float32)
  logits = rng.standard_normal((2, 6, 4, 5, 1)).astype(np.float32)
  return image, components, np.asarray(jax.nn.log_softmax(logits, axis=1))


def naive(image, components, log_masks, deviation):
  density = scipy.stats.norm.pdf(image[:, None].astype(np.float64), components, deviation)
  mixed = (np.exp(log_masks.astype(np.float64)) * density).sum(1)  # [B, H, W, C]
  return -np.log(mixed).sum((1, 2, 3))


@pytest.mark.parametrize("deviation", [0.7, 0.1])
def test_equals_the_sum_of_exponentials(scene, deviation):
  found = mixture_error(*map(jnp.asarray, scene), deviation)
  assert found.shape == (2,)
  np.testing.assert_allclose(found, naive(*scene, deviation), rtol=1e-5)


def test_each_component_can_have_a_deviation(scene):
  deviation = np.linspace(0.3, 0.8, 6).astype(np.float32).reshape(1, 6, 1, 1, 1)
  found = mixture_error(*map(jnp.asarray, scene), jnp.asarray(deviation))
  np.testing.assert_allclose(found, naive(*scene, deviation), rtol=1e-5)


def test_tiny_deviations_stay_finite(scene):
  """The sum of exponentials is log 0 here."""

  def error(image):
    return mixture_error(image, *map(jnp.asarray, scene[1:]), 1e-3)

  with np.errstate(divide="ignore"):
    assert np.isinf(naive(*scene, 1e-3)).all()
  assert np.isfinite(error(jnp.asarray(scene[0]))).all()
  gradient = jax.grad(lambda image: error(image).sum())(jnp.asarray(scene[0]))
  assert np.isfinite(gradient).all() and (np.abs(gradient) > 0).any()


def test_missing_components_do_not_count(scene):
  image, components, log_masks = (jnp.asarray(part) for part in scene)
  extra = jnp.concatenate([components, components[:, :1] + 3], axis=1)
  absent = jnp.full_like(log_masks[:, :1], -1e10)
  found = mixture_error(image, extra, jnp.concatenate([log_masks, absent], axis=1), 0.7)
  np.testing.assert_allclose(found, mixture_error(image, components, log_masks, 0.7), rtol=1e-6)
