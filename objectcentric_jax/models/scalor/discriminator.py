"""Discriminator of the adversarial training: tells frames from reconstructions.

Published code: gan.py of orhunguley/unsupervised_object_learning.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import NOISE, Sample, draw_uniform
from objectcentric_jax.nn.normalization import BatchNorm

Array = jax.Array

FEATURES = (32, 64, 128, 256)
SLOPE, DROPPED = 0.2, 0.25
EPSILON = 0.8  # of the batch norms, as published


class Judge(nn.Module):
  """Frames [B, S, S, 3] to logits [B, 1]: halving convolutions, then one linear layer.

  Whole feature maps are dropped while it trains, unless `sample` is False.
  """

  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, sample: Sample) -> Array:
    for i, features in enumerate(FEATURES):
      x = Conv(features, 3, 2, 1, dtype=self.dtype, name=f"conv_{i}")(x)
      x = nn.leaky_relu(x, SLOPE)
      if self.is_mutable_collection("batch_stats") and sample is True:
        x = self._drop(x, i)
      if i:
        norm = BatchNorm(
          epsilon=EPSILON, axis_name=self.axis_name, dtype=self.dtype, name=f"norm_{i}"
        )
        x = norm(x)
    return at_least_float32(Linear(1, self.dtype, name="output")(x.reshape(len(x), -1)))

  def _drop(self, x: Array, layer: int) -> Array:
    shape = (len(x), 1, 1, x.shape[-1])
    uniform = draw_uniform(self, True, f"dropout_{layer}", shape, jnp.float32)
    return x * (uniform >= DROPPED).astype(x.dtype) / (1 - DROPPED)


class Discriminator(nn.Module):
  """Judges videos frame by frame: batch statistics are those of one frame of all videos.

  Evaluated without a mutable collection "batch_stats" it uses running statistics and drops nothing.
  """

  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  def setup(self):
    self.judge = Judge(self.axis_name, self.dtype)

  def __call__(self, video: Array, sample: Sample = True) -> Array:
    """Logits [B, T, 1] of frames [B, T, S, S, 3] being real."""

    def step(discriminator: "Discriminator", carry, frame):
      return carry, discriminator.judge(frame, sample)

    return self._over_time(step, video)

  def once(self, frame: Array) -> Array:
    """Logits [B, 1] of frames [B, S, S, 3]; for the initial parameters."""
    return self.judge(frame, False)

  def compare(self, real: Array, fake: Array, sample: Sample = True) -> tuple[Array, Array]:
    """Logits of real and made frames, [B, T, 1] each, as the published training takes them.

    Made frames pass twice. The first result is not used; it only moves the running statistics.
    """

    def step(discriminator: "Discriminator", carry, frames):
      real, fake = frames
      discriminator.judge(fake, sample)
      judged = discriminator.judge(fake, sample)
      return carry, (discriminator.judge(real, sample), judged)

    return self._over_time(step, (real, fake))

  def _over_time(self, step, frames):
    """A loop over axis 1 in which running statistics move on from frame to frame, if they do."""
    statistics = "batch_stats"
    moves = self.is_mutable_collection(statistics)
    scan = nn.scan(
      step,
      variable_broadcast="params" if moves else ("params", statistics),
      variable_carry=statistics if moves else False,
      split_rngs={"params": False, NOISE: True},
      in_axes=1,
      out_axes=1,
    )
    return scan(self, (), frames)[1]
