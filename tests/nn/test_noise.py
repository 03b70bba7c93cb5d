"""Draws of modules: from the stream, at their means, or handed in."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.noise import NOISE, draw_normal, draw_uniform


class Draws(nn.Module):
  """One normal and one uniform draw."""

  @nn.compact
  def __call__(self, sample):
    normal = draw_normal(self, sample, "latent", (400, 5), jnp.float32)
    return normal, draw_uniform(self, sample, "field", (300, 7), jnp.float32)


def draws(sample, seed=0):
  return Draws().apply({}, sample, rngs={NOISE: jax.random.key(seed)})


def test_drawn_from_the_stream():
  normal, uniform = draws(True)
  assert abs(float(normal.mean())) < 0.1 and float(normal.std()) == pytest.approx(1, abs=0.1)
  assert 0 <= float(uniform.min()) < 0.01 and 0.99 < float(uniform.max()) < 1
  again, other = draws(True), draws(True, seed=1)
  np.testing.assert_array_equal(normal, again[0])
  assert not np.array_equal(normal, other[0]) and not np.array_equal(uniform, other[1])


def test_turned_off_the_normal_draw_is_its_mean_and_the_uniform_one_stays():
  normal, uniform = draws(False)
  np.testing.assert_array_equal(normal, np.zeros((400, 5)))
  assert float(uniform.std()) > 0.2


def test_handed_in():
  latent, field = jnp.full((400, 5), 2.0), jnp.full((300, 7), 0.5)
  normal, uniform = draws({"latent": latent, "field": field})
  np.testing.assert_array_equal(normal, latent)
  np.testing.assert_array_equal(uniform, field)
  normal, uniform = draws({})
  np.testing.assert_array_equal(normal, np.zeros((400, 5)))
  assert float(uniform.std()) > 0.2


def test_everything_handed_in_needs_no_stream():
  given = {"latent": jnp.ones((400, 5)), "field": jnp.ones((300, 7))}
  normal, _ = Draws().apply({}, given)
  np.testing.assert_array_equal(normal, np.ones((400, 5)))


@pytest.mark.parametrize("name, shape", [("latent", (400, 5)), ("field", (300, 7))])
def test_wrong_shapes_are_refused(name, shape):
  with pytest.raises(ValueError, match=f"given draws '{name}' have shape \\(5,\\), not"):
    draws({name: jnp.zeros(5)})
