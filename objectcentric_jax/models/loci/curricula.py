"""Weights of Loci-Segmented that fall with the number of times a loss was computed.

Published code: utils/loss.py of CognitiveModeling/Loci-Segmented.
"""

import jax
import jax.numpy as jnp

from objectcentric_jax.nn.gradients import absolute

Array = jax.Array

GESTALT_PERIOD = 1000
GESTALT_END = 30 * GESTALT_PERIOD  # updates after which codes are left alone


def decaying(count: Array, period: float, least: float = 0.0) -> Array:
  """1 for `period` updates, then a tenth of it with every further one, not below `least`."""
  return jnp.clip(0.1 ** (jnp.asarray(count, jnp.float32) / period - 1), least, 1.0)


def gestalt_loss(codes: Array, count: Array) -> Array:
  """Keeps codes away from 0 and 1 while training is young: scalar."""
  weight = jnp.where(count < GESTALT_END, decaying(count, GESTALT_PERIOD), 0.0)
  return absolute(codes - 0.5).mean() * weight.astype(codes.dtype)
