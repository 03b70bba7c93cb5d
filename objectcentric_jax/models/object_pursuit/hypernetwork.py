"""The hypernetwork of Object Pursuit: an object's latent to the weights of its segmenter.

Pan, Zhang, Xu, Guibas and Yang, ICLR 2022, arXiv 2112.07954; model/coeffnet/hypernet.py of
pptrick/Object-Pursuit.
"""

from collections.abc import Iterator
from typing import NamedTuple

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.models.object_pursuit.layers import Kernel, part_name
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.initialization import normal_fan_in
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.resampling import doubled

Array = jax.Array

START = 32  # side of the map that every kernel begins as
CHANNELS = 4  # of its first stage; each stage has twice as many as the one before
SLOPE = 0.01


@flax.struct.dataclass
class Generated:
  """The weights of one layer; with a leading axis of latents as the hypernetwork gives them.

  Attributes:
    kernel: [height, width, I, O].
    scale, bias: [O] of the batch normalisation; the last layer has the bias alone.
  """

  kernel: Array
  scale: Array
  bias: Array


class Stage(NamedTuple):
  """One doubling of the map: along which axes, and the convolution behind it."""

  rows: bool
  columns: bool
  channels: int
  size: int  # of the convolution's kernel


def stages(outputs: int, inputs: int) -> Iterator[Stage]:
  """The doublings that make the map at least `outputs` rows by `inputs` columns."""
  height = width = START
  channels = CHANNELS
  while height < outputs or width < inputs:
    rows, columns = height < outputs, width < inputs
    height, width = height << rows, width << columns
    yield Stage(rows, columns, channels, 3 if rows and columns else 5)
    channels *= 2


class Mlp(nn.Module):
  """Latents [Z, D] to the scale or the bias of a batch normalisation, [Z, features]."""

  features: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    for i in range(3):
      x = nn.relu(x) if i else x
      x = Linear(self.features, self.dtype, normal_fan_in, name=f"linear_{i}")(x)
    return x


class KernelNetwork(nn.Module):
  """Latents [Z, D] to a convolution kernel each, [Z, height, width, I, O].

  The kernel is drawn as a picture whose rows are its outputs and whose columns are its inputs, with
  a channel for each of its taps.
  """

  kernel: Kernel
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latents: Array) -> Array:
    outputs, inputs, height, width = self.kernel
    x = Linear(START**2, self.dtype, name="expand")(latents)
    x = x.reshape(-1, START, START, 1)
    for number, stage in enumerate(stages(outputs, inputs)):
      x = doubled(x, 1) if stage.rows else x
      x = doubled(x, 2) if stage.columns else x
      padding = stage.size // 2
      conv = Conv(
        stage.channels, stage.size, padding=padding, dtype=self.dtype, name=f"stage_{number}"
      )
      x = nn.leaky_relu(conv(x), SLOPE)
    taps = height * width
    x = nn.leaky_relu(Conv(taps, 5, padding=2, dtype=self.dtype, name="taps")(x), SLOPE)
    surplus = (x.shape[1] - outputs + 1, x.shape[2] - inputs + 1)
    x = Conv(taps, surplus, dtype=self.dtype, name="trim")(x)
    return x.reshape(-1, outputs, inputs, height, width).transpose(0, 3, 4, 2, 1)


class Block(nn.Module):
  """Latents [Z, D] to the weights of one layer."""

  kernel: Kernel
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latents: Array) -> Generated:
    outputs = self.kernel[0]
    return Generated(
      kernel=KernelNetwork(self.kernel, self.dtype, name="kernel")(latents),
      scale=Mlp(outputs, self.dtype, name="scale")(latents),
      bias=Mlp(outputs, self.dtype, name="bias")(latents),
    )


class Hypernetwork(nn.Module):
  """Latents [Z, D] to the weights of every layer of a table; any number of latents at once.

  Attributes:
    table: (name, kernel) of each layer, in their order.
    rematerialise: compute the maps of a block again in the backward pass instead of keeping them.
  """

  table: tuple[tuple[str, Kernel], ...]
  rematerialise: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latents: Array) -> dict[str, Generated]:
    block = nn.remat(Block) if self.rematerialise else Block
    return {
      layer: block(tuple(kernel), self.dtype, name=part_name(layer))(latents)
      for layer, kernel in self.table
    }
