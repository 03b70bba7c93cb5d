"""Norms and their gradients where other forms have none."""

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.losses.norms import euclidean_norm


def test_the_gradient_is_the_direction():
  x = jnp.asarray([[3.0, 0.0], [0.0, -4.0]])
  value, gradient = jax.value_and_grad(euclidean_norm)(x)
  assert float(value) == 5.0
  np.testing.assert_allclose(gradient, np.asarray(x) / 5, rtol=1e-6)


def test_the_gradient_at_zero_is_zero():
  np.testing.assert_array_equal(jax.grad(euclidean_norm)(jnp.zeros((2, 3))), np.zeros((2, 3)))


def test_a_single_number_has_a_gradient_of_exactly_one():
  for value in (1e-15, -3.7e-8, 0.3):
    assert abs(float(jax.grad(euclidean_norm)(jnp.asarray([value]))[0])) == 1.0
