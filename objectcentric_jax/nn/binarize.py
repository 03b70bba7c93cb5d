"""Codes that are close to zero or one."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.noise import Sample, draw_normal

Array = jax.Array


def perturbed(probability: Array, noise: Array) -> Array:
  """p + p (1 - p) noise: the less certain, the noisier, which drives p to 0 or 1."""
  return probability + probability * (1 - probability) * noise


class Binarize(nn.Module):
  """Logits to codes of the same shape: noisy probabilities in training, zeros and ones otherwise.

  The draw is called `binarize`; nothing passes the rounding backwards.
  """

  training: bool

  def __call__(self, logits: Array, sample: Sample = True) -> Array:
    probability = nn.sigmoid(logits)
    if not self.training:
      return jnp.round(probability)
    noise = draw_normal(self, sample, "binarize", probability.shape, probability.dtype)
    return perturbed(probability, noise)
