"""Norms whose gradient is defined everywhere."""

import jax
import jax.numpy as jnp

Array = jax.Array


@jax.custom_jvp
def euclidean_norm(x: Array) -> Array:
  """Length of all values of an array taken as one vector, a scalar.

  Its gradient is the direction x / |x|, exactly, and zero where x is zero, as in PyTorch; that of
  a root of a sum of squares is not a number there.
  """
  return jnp.sqrt((x * x).sum())


@euclidean_norm.defjvp
def _euclidean_norm_jvp(primals, tangents):
  (x,), (change,) = primals, tangents
  norm = euclidean_norm(x)
  direction = jnp.where(norm > 0, x / jnp.where(norm > 0, norm, 1), 0)
  return norm, (direction * change).sum()
