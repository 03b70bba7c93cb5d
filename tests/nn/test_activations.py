"""Activations against numpy in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.activations import elu, tanh

RNG = np.random.default_rng(0)


def exact(x):
  return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def ulps(single, expected):
  """Errors of `single`, as multiples of the distance of its neighbours."""
  return (np.asarray(single, np.float64) - expected) / np.spacing(np.abs(np.float32(expected)))


@pytest.mark.parametrize("low", [-1e-30, -1e-3, -0.1, -0.75, -5.0, -200.0])
def test_single_precision_is_exact_to_the_last_digits_and_not_biased(low):
  x = RNG.uniform(low, 0, 100_000).astype(np.float32)
  errors = ulps(jax.jit(elu)(x), exact(x.astype(np.float64)))
  assert np.abs(errors).max() < 1.5
  assert np.sqrt((errors**2).mean()) < 0.4
  assert abs(errors.mean()) < 0.02


@pytest.mark.parametrize("reach", [1e-30, 1e-3, 0.1, 0.55, 5.0, 200.0])
def test_tanh_is_exact_to_three_ulps_and_not_biased(reach):
  x = RNG.uniform(0, reach, 100_000).astype(np.float32)
  errors = ulps(jax.jit(tanh)(x), np.tanh(x.astype(np.float64)))
  assert np.abs(errors).max() < 3
  assert np.sqrt((errors**2).mean()) < 0.9
  assert abs(errors.mean()) < 0.02
  np.testing.assert_array_equal(tanh(-x), -tanh(x))


def test_it_is_the_identity_above_zero():
  x = RNG.uniform(0, 1e4, 1000).astype(np.float32)
  np.testing.assert_array_equal(elu(x), x)
  np.testing.assert_array_equal(elu(jnp.zeros(1)), 0)


FORMS = {  # activation, derivative, and whether the latter is a difference of numbers near one
  elu: (exact, lambda x: np.where(x > 0, 1, np.exp(x)), False),
  tanh: (np.tanh, lambda x: 1 - np.tanh(x) ** 2, True),
}


@pytest.mark.parametrize("activation", FORMS)
@pytest.mark.parametrize(("dtype", "rtol"), [("bfloat16", 2**-8), ("float32", 2e-7)])
def test_derivative_and_types(activation, dtype, rtol):
  expected, slope, near_one = FORMS[activation]
  x = jnp.asarray(RNG.uniform(-4, 2, 200), dtype)
  y, derivative = jax.jvp(activation, (x,), (jnp.ones_like(x),))
  assert y.dtype == derivative.dtype == x.dtype
  wide = np.asarray(x, np.float64)
  np.testing.assert_allclose(np.asarray(y, np.float64), expected(wide), rtol=rtol)
  np.testing.assert_allclose(
    np.asarray(derivative, np.float64), slope(wide), rtol=2 * rtol, atol=2 * rtol * near_one
  )
  np.testing.assert_array_equal(jax.grad(lambda x: activation(x).sum())(x), derivative)


@pytest.mark.parametrize("activation", FORMS)
def test_double_precision(activation):
  with jax.enable_x64(True):
    x = RNG.uniform(-4, 2, 1000)
    y = activation(jnp.asarray(x))
  assert y.dtype == np.float64
  np.testing.assert_allclose(y, FORMS[activation][0](x), rtol=2e-15)


@pytest.mark.parametrize(("activation", "ends"), [(elu, (-1, np.inf)), (tanh, (-1, 1))])
def test_ends_and_what_is_no_number(activation, ends):
  np.testing.assert_array_equal(activation(jnp.asarray([-jnp.inf, jnp.inf, 0])), (*ends, 0))
  assert np.isnan(activation(jnp.asarray(jnp.nan)))
