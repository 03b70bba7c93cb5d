"""Likelihood of an image under a mixture of component images."""

import jax
from jax import nn

from objectcentric_jax.losses.gaussian import log_normal

Array = jax.Array


def mixture_error(
  image: Array, components: Array, log_masks: Array, deviation: float | Array
) -> Array:
  """Negative log likelihood of a per-pixel, per-channel Gaussian mixture: nats, [B].

  err = - sum over pixels and channels of log sum_k m_k N(image; component_k, deviation_k).

  Args:
    image: [B, H, W, C] in [0, 1].
    components: [B, K, H, W, C].
    log_masks: [B, K, H, W, 1] log mixing weights.
    deviation: of the pixels; a number, or an array that broadcasts to [B, K, H, W, C].

  Summed by log-sum-exp; the published code sums exponentials, which is the same where finite.
  """
  log_joint = log_masks + log_normal(image[:, None], components, deviation)
  return -nn.logsumexp(log_joint, axis=1).sum((1, 2, 3))
