"""The prior over slot latents, each given the slots before it."""

import jax
import numpy as np
import pytest

from objectcentric_jax.nn.autoregressive_prior import AutoregressivePrior
from tests.parameters import random_parameters

BATCH, SLOTS, SIZE = 2, 4, 6


@pytest.fixture(scope="module")
def noise():
  return np.random.default_rng(0).standard_normal((BATCH, SLOTS, SIZE)).astype(np.float32)


@pytest.fixture(scope="module")
def params(noise):
  prior = AutoregressivePrior(SIZE, hidden=24)
  return random_parameters(jax.eval_shape(prior.init, jax.random.key(0), noise)["params"])


def moments(params, latents, **options):
  return AutoregressivePrior(SIZE, 24, **options).apply({"params": params}, latents)


def draw(params, noise, squash=True, **options):
  prior = AutoregressivePrior(SIZE, 24, **options)
  return prior.apply({"params": params}, noise, squash, method=AutoregressivePrior.draw)


def test_drawing_slot_by_slot_equals_the_prior_of_the_draws(params, noise):
  """The moments of whole sequences, which training uses, describe what `draw` draws."""
  latents = draw(params, noise)
  mean, deviation = moments(params, latents)
  assert latents.shape == mean.shape == deviation.shape == (BATCH, SLOTS, SIZE)
  np.testing.assert_allclose(latents, mean + deviation * noise, atol=1e-6)
  np.testing.assert_array_equal(latents[:, 0], noise[:, 0])
  assert np.abs(mean).max() < 1 and np.abs(mean[:, 1:]).min() > 0
  # Slot k depends on the slots before it alone.
  changed = moments(params, latents.at[:, 2].add(1.0))[0]
  np.testing.assert_array_equal(changed[:, :3], mean[:, :3])
  assert (np.asarray(changed[:, 3]) != np.asarray(mean[:, 3])).any()


def test_means_are_squashed_unless_told(params, noise):
  """Every latent that is drawn without tanh would have, with it, the prior of training."""
  wide = params | {"moments": {n: 3 * p for n, p in params["moments"].items()}}
  latents = draw(wide, noise, squash=False)
  mean, deviation = moments(wide, latents)
  raw = np.arctanh(np.asarray(mean, np.float64))
  np.testing.assert_allclose(latents, raw + deviation * noise, rtol=2e-4, atol=2e-4)
  assert np.abs(raw[:, 1:] - mean[:, 1:]).max() > 0.1


def test_the_first_slot_is_standard_normal(params, noise):
  mean, deviation = moments(params, noise)
  np.testing.assert_array_equal(mean[:, 0], 0)
  np.testing.assert_array_equal(deviation[:, 0], 1)
  for part in moments(params, noise[:, :1]):
    assert part.shape == (BATCH, 1, SIZE)
  np.testing.assert_array_equal(draw(params, noise[:, :1]), noise[:, :1])


def test_loops_give_the_same_numbers_rolled_and_unrolled(params, noise):
  for function in (draw, moments):
    rolled, unrolled = (jax.tree.leaves(function(params, noise, unroll=n)) for n in (1, SLOTS))
    for one, other in zip(rolled, unrolled, strict=True):
      np.testing.assert_allclose(one, other, atol=1e-6)


def test_gradients_flow_into_the_slots_before(params, noise):
  """GENESIS does not detach latents in front of their priors."""
  gradient = jax.grad(lambda latents: moments(params, latents)[0][:, 2].sum())(noise)
  assert (np.abs(gradient[:, :2]).max((0, 2)) > 1e-4).all()
  np.testing.assert_array_equal(gradient[:, 2:], 0)


def test_draws_have_the_moments_of_the_prior(params):
  """Means and deviations of many draws of the second slot, whose first is the same."""
  many = np.random.default_rng(1).standard_normal((20_000, 2, SIZE)).astype(np.float32)
  many[:, 0] = many[0, 0]
  drawn = np.asarray(jax.jit(draw)(params, many)[:, 1], np.float64)
  mean, deviation = (np.asarray(part[0, 1]) for part in moments(params, many[:1]))
  np.testing.assert_allclose(drawn.mean(0), mean, atol=0.03)
  np.testing.assert_allclose(drawn.std(0), deviation, rtol=0.03)


def test_float64_noise_gives_float64_draws(params, noise):
  with jax.enable_x64(True):
    double = jax.tree.map(lambda p: np.asarray(p, np.float64), params)
    latents = jax.device_get(draw(double, noise.astype(np.float64)))
  assert latents.dtype == np.float64
  np.testing.assert_allclose(draw(params, noise), latents, atol=1e-5)
