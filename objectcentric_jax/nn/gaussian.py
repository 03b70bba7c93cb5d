"""Diagonal Gaussians and draws from them."""

import flax.linen as nn
import flax.struct
import jax

from objectcentric_jax.losses.gaussian import normal_kl, sampled_kl
from objectcentric_jax.nn.noise import Sample, draw_normal

Array = jax.Array


@flax.struct.dataclass
class Gaussian:
  """A diagonal Gaussian and a draw from it, each [..., D]."""

  mean: Array
  deviation: Array
  value: Array

  def kl(self, prior_mean: Array | float = 0.0, prior_deviation: Array | float = 1.0) -> Array:
    """To the prior, summed over D: [...], nats."""
    return normal_kl(self.mean, self.deviation, prior_mean, prior_deviation)

  def log_weight(
    self, prior_mean: Array | float = 0.0, prior_deviation: Array | float = 1.0
  ) -> Array:
    """log prior(value) - log posterior(value), summed over D: [...], nats."""
    return -sampled_kl(self.value, self.mean, self.deviation, prior_mean, prior_deviation)


def draw_gaussian(
  module: nn.Module, sample: Sample, name: str, mean: Array, deviation: Array
) -> Gaussian:
  """With a draw of the module's noise, named as in `objectcentric_jax.nn.noise`."""
  noise = draw_normal(module, sample, name, mean.shape, mean.dtype)
  return Gaussian(mean, deviation, mean + deviation * noise)
