"""Bernoulli distributions."""

import jax
import jax.numpy as jnp

Array = jax.Array

FLOOR = 1e-15  # keeps logarithms of impossible outcomes finite


def bernoulli_kl(probability: Array, prior: Array | float) -> Array:
  """Element-wise KL of one Bernoulli distribution to another, from their probabilities: nats."""
  absent, prior_absent = 1 - probability, 1 - prior
  present_part = probability * (jnp.log(probability + FLOOR) - jnp.log(prior + FLOOR))
  return present_part + absent * (jnp.log(absent + FLOOR) - jnp.log(prior_absent + FLOOR))
