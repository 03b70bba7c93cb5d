"""Gaussian densities with diagonal covariance."""

import math

import jax
import jax.numpy as jnp

Array = jax.Array

LOG_TWO_PI = math.log(2.0 * math.pi)


def log_normal(x: Array, mean: Array | float, deviation: Array | float) -> Array:
  """Element-wise log density of N(mean, deviation^2) at x, in nats."""
  scaled = (x - mean) / deviation
  return -0.5 * (scaled**2 + LOG_TWO_PI) - jnp.log(deviation)


def sampled_kl(
  x: Array, mean: Array, deviation: Array, prior_mean: Array, prior_deviation: Array
) -> Array:
  """log q(x) - log p(x) summed over the last axis: the one-sample estimate of KL(q || p), nats.

  Can be negative. All arguments broadcast to x [..., D]; the result is [...].
  """
  difference = log_normal(x, mean, deviation) - log_normal(x, prior_mean, prior_deviation)
  return difference.sum(-1)


def normal_kl(
  mean: Array,
  deviation: Array,
  prior_mean: Array | float = 0.0,
  prior_deviation: Array | float = 1.0,
) -> Array:
  """KL of N(mean, deviation^2) to the prior summed over the last axis: [..., D] to [...], nats."""
  ratio = deviation / prior_deviation
  distance = (mean - prior_mean) / prior_deviation
  return (0.5 * (distance**2 + ratio**2 - 1.0) - jnp.log(ratio)).sum(-1)
