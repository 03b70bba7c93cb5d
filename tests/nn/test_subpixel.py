"""Pixel shuffle, its decoder, relaxed Bernoulli and logistic draws."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.noise import NOISE, draw_logistic
from objectcentric_jax.nn.relaxed_bernoulli import relaxed_bernoulli
from objectcentric_jax.nn.subpixel import SubPixelDecoder, pixel_shuffle


def test_pixel_shuffle_puts_channels_where_they_belong():
  count, height, width, channels, factor = 2, 3, 4, 5, 2
  x = np.random.default_rng(0).standard_normal((count, height, width, channels * factor**2))
  found = pixel_shuffle(jnp.asarray(x, jnp.float32), factor)
  assert found.shape == (count, height * factor, width * factor, channels)
  for c in range(channels):
    for i in range(factor):
      for j in range(factor):
        expected = x[..., c * factor**2 + i * factor + j].astype(np.float32)
        np.testing.assert_array_equal(found[:, i::factor, j::factor, c], expected)


def test_decoder_enlarges_by_its_factors():
  decoder = SubPixelDecoder(32, (8, 6), (4, 3), (3, 2))
  found, variables = decoder.init_with_output(jax.random.key(0), jnp.ones((2, 7)))
  assert found.shape == (2, 6, 6, 6)
  assert variables["params"]["enlarge_0"]["conv"]["kernel"].shape == (1, 1, 32, 8 * 9)


def test_relaxed_draws_near_zero_temperature_are_bernoulli():
  rng = np.random.default_rng(1)
  uniform = rng.uniform(size=50_000)
  noise = jnp.asarray(np.log(uniform) - np.log1p(-uniform), jnp.float32)
  for probability in (0.1, 0.6):
    logit = jnp.full_like(noise, np.log(probability / (1 - probability)))
    draws = relaxed_bernoulli(logit, 1e-3, noise)
    assert abs(float(draws.mean()) - probability) < 0.01
  assert relaxed_bernoulli(jnp.float32(1.5), 0.5, 0.0) == pytest.approx(1 / (1 + np.exp(-3.0)))


class Draw(nn.Module):
  @nn.compact
  def __call__(self, sample):
    return draw_logistic(self, sample, "presence", (20_000,), jnp.float32)


def test_logistic_draws():
  draws = np.asarray(Draw().apply({}, True, rngs={NOISE: jax.random.key(0)}))
  assert np.isfinite(draws).all() and abs(draws.mean()) < 0.05
  assert draws.std() == pytest.approx(np.pi / np.sqrt(3), rel=0.02)
  assert (Draw().apply({}, False) == 0).all() and (Draw().apply({}, {}) == 0).all()
  given = np.arange(20_000, dtype=np.float32)
  np.testing.assert_array_equal(Draw().apply({}, {"presence": given}), given)
