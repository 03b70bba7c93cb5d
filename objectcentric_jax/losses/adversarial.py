"""Losses of generative adversarial training (Goodfellow et al., 2014), from logits."""

import jax
import jax.numpy as jnp
from jax import nn

Array = jax.Array

LOWEST_LOG = -100.0  # logarithms of probabilities are not taken further down, as in PyTorch


def cross_entropy(logits: Array, real: bool) -> Array:
  """Element-wise -log of the probability that the judged is what it is, real or not; nats."""
  log_probability = nn.log_sigmoid(logits if real else -logits)
  return -jnp.maximum(log_probability, LOWEST_LOG)


def generator_loss(fake: Array) -> Array:
  """Element-wise loss of having made what is judged by these logits: small if taken for real."""
  return cross_entropy(fake, real=True)


def discriminator_loss(real: Array, fake: Array) -> Array:
  """Element-wise loss of these judgements; both kinds count half."""
  return (cross_entropy(real, real=True) + cross_entropy(fake, real=False)) / 2
