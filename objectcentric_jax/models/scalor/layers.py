"""Stacks of convolutions, from tables of their layers."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn import convolution, subpixel
from objectcentric_jax.nn.activations import elu
from objectcentric_jax.nn.linear import Linear

Array = jax.Array

# What rounding leaves grows a hundredfold from frame to frame; these lose no more than PyTorch's.
LONGEST_SUM = 72
Conv = partial(convolution.Conv, longest_sum=LONGEST_SUM)
ConvGroupNorm = partial(subpixel.ConvGroupNorm, longest_sum=LONGEST_SUM)


class Layer(NamedTuple):
  """A convolution and an ELU, then a group norm unless `groups` is 0.

  `factor` enlarges by a pixel shuffle before the ELU.
  """

  features: int
  size: int
  groups: int
  stride: int = 1
  padding: int = 0
  factor: int = 1


class Stack(nn.Module):
  """Layers one after the other, on [N, H, W, C]; the i-th is called layer_i."""

  layers: Sequence[Layer]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    for i, layer in enumerate(self.layers):
      name = f"layer_{i}"
      if layer.groups:
        x = ConvGroupNorm(*layer, dtype=self.dtype, name=name)(x)
      else:
        geometry = layer.size, layer.stride, layer.padding
        x = elu(Conv(layer.features, *geometry, dtype=self.dtype, name=name)(x))
    return x


class Head(nn.Module):
  """A stack, then a convolution with stride 1 that keeps the size, to `outputs` raw channels."""

  outputs: int
  size: int
  layers: Sequence[Layer] = ()
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    x = Stack(self.layers, self.dtype, name="stack")(x) if self.layers else x
    padding = self.size // 2
    return Conv(self.outputs, self.size, padding=padding, dtype=self.dtype, name="output")(x)


class Perceptron(nn.Module):
  """One hidden layer with an ELU: [..., I] to [..., outputs]."""

  hidden: int
  outputs: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    x = elu(Linear(self.hidden, self.dtype, name="hidden")(x))
    return Linear(self.outputs, self.dtype, name="output")(x)
