"""The exponential linear unit against numpy in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.activations import elu

RNG = np.random.default_rng(0)


def exact(x):
  return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


@pytest.mark.parametrize("low", [-1e-30, -1e-3, -0.1, -0.75, -5.0, -200.0])
def test_single_precision_is_exact_to_the_last_digits_and_not_biased(low):
  x = RNG.uniform(low, 0, 100_000).astype(np.float32)
  expected = exact(x.astype(np.float64))
  ulps = (np.asarray(jax.jit(elu)(x), np.float64) - expected) / np.spacing(
    np.abs(np.float32(expected))
  )
  assert np.abs(ulps).max() < 1.5
  assert np.sqrt((ulps**2).mean()) < 0.4
  assert abs(ulps.mean()) < 0.02


def test_it_is_the_identity_above_zero():
  x = RNG.uniform(0, 1e4, 1000).astype(np.float32)
  np.testing.assert_array_equal(elu(x), x)
  np.testing.assert_array_equal(elu(jnp.zeros(1)), 0)
  assert elu(jnp.asarray([-jnp.inf])) == -1


@pytest.mark.parametrize(("dtype", "rtol"), [("bfloat16", 2**-8), ("float32", 2e-7)])
def test_derivative_and_types(dtype, rtol):
  x = jnp.asarray(RNG.uniform(-4, 2, 200), dtype)
  y, derivative = jax.jvp(elu, (x,), (jnp.ones_like(x),))
  assert y.dtype == derivative.dtype == x.dtype
  wide = np.asarray(x, np.float64)
  np.testing.assert_allclose(np.asarray(y, np.float64), exact(wide), rtol=rtol)
  np.testing.assert_allclose(
    np.asarray(derivative, np.float64), np.where(wide > 0, 1, np.exp(wide)), rtol=2 * rtol
  )
  np.testing.assert_array_equal(jax.grad(lambda x: elu(x).sum())(x), derivative)


def test_double_precision():
  with jax.enable_x64(True):
    x = RNG.uniform(-4, 2, 1000)
    y = elu(jnp.asarray(x))
  assert y.dtype == np.float64
  np.testing.assert_allclose(y, exact(x), rtol=2e-15)
