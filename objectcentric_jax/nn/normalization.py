"""Group normalisation (Wu and He, 2018) with PyTorch's constants."""

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array


class GroupNorm(nn.Module):
  """Normalises groups of channels of [N, H, W, C] per image; C is a multiple of `groups`.

  Statistics are taken in float32 at least, whatever the compute type, in two passes and row by
  row: a single running sum over a whole image loses digits that PyTorch keeps.
  """

  groups: int = 8
  epsilon: float = 1e-5
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    channels = x.shape[-1]
    scale = self.param("scale", nn.initializers.ones, (channels,), jnp.float32)
    bias = self.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
    statistics = jnp.promote_types(x.dtype, jnp.float32)
    x = x.astype(statistics)

    def average(values):  # [N, H, W, C] to the mean of each channel's group, [N, 1, 1, C]
      per_channel = values.mean(2).mean(1)
      grouped = per_channel.reshape(-1, self.groups, channels // self.groups)
      per_group = jnp.broadcast_to(grouped.mean(2, keepdims=True), grouped.shape)
      return per_group.reshape(-1, 1, 1, channels)

    centred = x - average(x)
    normalised = centred * jax.lax.rsqrt(average(centred**2) + self.epsilon)
    y = normalised * scale.reshape(1, 1, 1, -1) + bias.reshape(1, 1, 1, -1)
    return y.astype(self.dtype or y.dtype)
