"""Gated convolutions and the encoder and decoder that the GENESIS repository makes of them.

After van den Berg et al. (2018), "Sylvester normalizing flows".
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError
from objectcentric_jax.nn.convolution import Conv, ConvTranspose

Array = jax.Array
Norm = Callable[..., nn.Module]

ENCODER_FEATURES = (32, 32, 64, 64, 64)
DECODER_FEATURES = (64, 32, 32, 32, 32)
DECODER_START_FEATURES = 64
KERNEL = 5


class Plan(NamedTuple):
  """Strides of the encoder (the decoder's are the reverse) and the side left after them."""

  strides: tuple[int, ...]
  final_side: int


PLANS = {
  32: Plan((1, 2, 1, 2, 1), 8),
  64: Plan((1, 2, 1, 2, 1), 16),
  128: Plan((2, 2, 2, 1, 1), 16),
  256: Plan((2, 2, 2, 2, 1), 16),
}


def gated_plan(side: int) -> Plan:
  """The published plan for images of this side; InputError when there is none."""
  if side not in PLANS:
    known = ", ".join(map(str, PLANS))
    raise InputError(f"config.model.side is {side}: gated convolutions are for sides {known}")
  return PLANS[side]


def _gate(both: Array, norm: Norm | None) -> Array:
  value, gate = jnp.split(both, 2, axis=-1)
  if norm is not None:
    value, gate = norm(name="value_norm")(value), norm(name="gate_norm")(gate)
  return value * nn.sigmoid(gate)


class GatedConv(nn.Module):
  """value * sigmoid(gate), both from one convolution and each with a normalisation if any."""

  features: int
  size: int
  stride: int = 1
  padding: int = 0
  norm: Norm | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    convolution = Conv(
      2 * self.features, self.size, self.stride, self.padding, dtype=self.dtype, name="conv"
    )
    return _gate(convolution(x), self.norm)


class GatedConvTranspose(nn.Module):
  """As `GatedConv`, with a transposed convolution."""

  features: int
  size: int
  stride: int = 1
  padding: int = 0
  output_padding: int = 0
  norm: Norm | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    convolution = ConvTranspose(
      2 * self.features,
      self.size,
      self.stride,
      self.padding,
      self.output_padding,
      dtype=self.dtype,
      name="conv",
    )
    return _gate(convolution(x), self.norm)


class GatedEncoder(nn.Module):
  """Images [N, S, S, C] to vectors [N, outputs]; the last layer sees all that is left, no norm."""

  outputs: int
  norm: Norm | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    plan = gated_plan(x.shape[1])
    for i, (features, stride) in enumerate(zip(ENCODER_FEATURES, plan.strides, strict=True)):
      layer = GatedConv(features, KERNEL, stride, 2, self.norm, self.dtype, name=f"conv_{i}")
      x = layer(x)
    x = GatedConv(self.outputs, plan.final_side, dtype=self.dtype, name="final")(x)
    return x.reshape(x.shape[0], self.outputs)


class GatedDecoder(nn.Module):
  """Latents [N, D] to images [N, side, side, outputs]; the first layer has no norm."""

  side: int
  outputs: int
  norm: Norm | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latent: Array) -> Array:
    plan = gated_plan(self.side)
    x = latent[:, None, None]
    start = GatedConvTranspose(
      DECODER_START_FEATURES, plan.final_side, dtype=self.dtype, name="start"
    )
    x = start(x)
    strides = reversed(plan.strides)
    for i, (features, stride) in enumerate(zip(DECODER_FEATURES, strides, strict=True)):
      layer = GatedConvTranspose(
        features, KERNEL, stride, 2, stride - 1, self.norm, self.dtype, name=f"conv_{i}"
      )
      x = layer(x)
    return Conv(self.outputs, 1, dtype=self.dtype, name="output")(x)
