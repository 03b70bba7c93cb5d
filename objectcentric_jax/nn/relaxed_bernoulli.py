"""Relaxed Bernoulli draws (Maddison et al., 2017; Jang et al., 2017)."""

import jax
from jax import nn

Array = jax.Array


def relaxed_bernoulli(logits: Array, temperature: Array | float, logistic: Array) -> Array:
  """Draws in (0, 1) that are differentiable in the logits.

  Args:
    logits: of the probability.
    temperature: above 0; the smaller, the closer draws are to 0 and 1.
    logistic: standard logistic noise, shaped like the logits; 0 gives the median.
  """
  return nn.sigmoid((logits + logistic) / temperature)
