"""U-Net of MONet and GENESIS-V2 (Burgess et al., 2019, appendix B.2; models/monet_config.py)."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.linear import Linear

Array = jax.Array


def check_side(side: int):
  """Raises InputError unless images of this side fit the U-Net."""
  if side < 32 or side & (side - 1):
    raise InputError(
      f"config.model.side is {side}: the encoder needs a power of two from 32 on, such as 64"
    )


def unet_channels(side: int, base: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
  """Output channels of the blocks on the way down and up for images of this side.

  The published table covers sides 32, 64 and 128; this is its pattern for any power of two.
  """
  blocks = side.bit_length() - 2  # the last one works at 4 x 4
  down = (base,) * (blocks - 3) + (2 * base,) * 3
  up = (2 * base,) * 2 + (base,) * (blocks - 2)
  return down, up


class ConvBlock(nn.Module):
  """3x3 convolution without bias, normalisation, ReLU."""

  features: int
  norm: Callable[..., nn.Module]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    x = Conv(self.features, 3, padding=1, use_bias=False, dtype=self.dtype, name="conv")(x)
    return nn.relu(self.norm(name="norm")(x))


class UNet(nn.Module):
  """[N, S, S, C] to [N, S, S, base]; nearest resampling between blocks, an MLP at 4 x 4.

  `norm` makes the normalisation of each block.
  """

  base: int
  norm: Callable[..., nn.Module]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    down, up = unet_channels(x.shape[1], self.base)
    skips = []
    for i, features in enumerate(down):
      x = ConvBlock(features, self.norm, self.dtype, name=f"down_{i}")(x)
      skips.append(x)
      if i < len(down) - 1:
        x = x[:, ::2, ::2]
    flat = x.reshape(x.shape[0], -1)
    for i, features in enumerate((128, 128, flat.shape[-1])):
      flat = nn.relu(Linear(features, self.dtype, name=f"mlp_{i}")(flat))
    x = flat.reshape(x.shape)
    for i, features in enumerate(up):
      x = jnp.concatenate([x, skips.pop()], axis=-1)
      x = ConvBlock(features, self.norm, self.dtype, name=f"up_{i}")(x)
      if i < len(up) - 1:
        x = x.repeat(2, axis=1).repeat(2, axis=2)
    return x
