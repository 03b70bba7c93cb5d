"""The segmentation network, DeepLab-v3+ on a residual network, with weights of any origin.

Chen, Zhu, Papandreou, Schroff and Adam, ECCV 2018; model/deeplabV3 of pptrick/Object-Pursuit. Its
two parts, `residual_features` and `mask_logits`, ask for each layer by name: a convolution with its
batch normalisation. `generated_layers` takes them from a hypernetwork, `own_layers` has parameters.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from objectcentric_jax.models.object_pursuit.hypernetwork import Generated
from objectcentric_jax.models.object_pursuit.layers import (
  ASPP,
  BACKBONE,
  BRANCHES,
  DECODER,
  MASK_LAYER,
  STAGES,
  Table,
  part_name,
)
from objectcentric_jax.nn.convolution import Conv, convolve
from objectcentric_jax.nn.initialization import normal_fan_in, normal_fan_out
from objectcentric_jax.nn.noise import Sample, draw_dropout
from objectcentric_jax.nn.normalization import BatchNorm, normalise_batch
from objectcentric_jax.nn.resampling import resize_bilinear

Array = jax.Array
Drop = Callable[[str, Array, float], Array]  # name, x, share of values that are dropped

DROPOUT = {"aspp": 0.5, "decoder_0": 0.5, "decoder_1": 0.1}


class Layer(Protocol):
  """A convolution [B, H, W, I] to [B, H', W', O] and its batch normalisation, by name."""

  def __call__(
    self, name: str, x: Array, stride: int = 1, padding: int = 0, dilation: int = 1
  ) -> Array: ...


def residual_features(layer: Layer, image: Array) -> tuple[Array, Array]:
  """Images [B, H, W, 3] in [0, 1] to features [B, H/16, W/16, 512] and low-level [B, H/4, W/4, 64].

  Published as "resnetsub", without the usual normalisation of colours.
  """
  x = nn.relu(layer(f"{BACKBONE}.conv1", image, stride=2, padding=3))
  x = nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
  low = x
  for number, (_, stride, dilations) in enumerate(STAGES, start=1):
    for block, dilation in enumerate(dilations):
      name = f"{BACKBONE}.layer{number}.{block}"
      first = stride if block == 0 else 1
      spread = dict(padding=dilation, dilation=dilation)
      y = nn.relu(layer(f"{name}.conv1", x, stride=first, **spread))
      y = layer(f"{name}.conv2", y, **spread)
      if block == 0 and number > 1:
        x = layer(f"{name}.downsample.0", x, stride=first)
      x = nn.relu(x + y)
    low = x if number == 1 else low
  return x, low


def mask_logits(
  layer: Layer,
  last: Callable[[Array], Array],
  features: Array,
  low: Array,
  size: tuple[int, int],
  drop: Drop,
) -> Array:
  """Backbone maps to mask logits [B, *size, 1].

  Args:
    layer: gives the layers.
    last: the last convolution, with a bias and without normalisation.
    features, low: as of `residual_features`.
    size: of the images.
    drop: applies dropout.
  """
  branches = [
    nn.relu(
      layer(f"{ASPP}.aspp{number}.atrous_conv", features, padding=p * dilation, dilation=dilation)
    )
    for number, (kernel, dilation) in enumerate(BRANCHES, start=1)
    for p in [kernel // 2]
  ]
  pooled = features.mean((1, 2), keepdims=True)
  pooled = nn.relu(layer(f"{ASPP}.global_avg_pool.1", pooled))
  branches.append(resize_bilinear(pooled, *branches[-1].shape[1:3]))
  x = nn.relu(layer(f"{ASPP}.conv1", jnp.concatenate(branches, axis=-1)))
  x = drop("aspp", x, DROPOUT["aspp"])
  low = nn.relu(layer(f"{DECODER}.conv1", low))
  x = jnp.concatenate([resize_bilinear(x, *low.shape[1:3]), low], axis=-1)
  for number, place in enumerate((0, 4)):
    x = nn.relu(layer(f"{DECODER}.last_conv.{place}", x, padding=1))
    x = drop(f"decoder_{number}", x, DROPOUT[f"decoder_{number}"])
  return resize_bilinear(last(x), *size)


class GeneratedSegmenter(nn.Module):
  """Segments by generated weights; it has no parameters of its own.

  Its batch normalisation takes the statistics of the batch, always: what it says about an image
  depends on the others, which should show the same object. Images that are alone work, but their
  pooled branch says nothing.
  """

  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  def features(self, weights: Mapping[str, Generated], image: Array) -> tuple[Array, Array]:
    """Backbone maps of images [B, H, W, 3], where the backbone is generated, too."""
    return residual_features(self._layers(weights), image)

  @nn.compact
  def __call__(
    self,
    weights: Mapping[str, Generated],
    features: Array,
    low: Array,
    size: tuple[int, int],
    sample: Sample = True,
  ) -> Array:
    """Mask logits [B, *size, 1] by the weights of one object.

    Args:
      weights: of each layer, without an axis of latents.
      features, low: backbone maps.
      size: of the images.
      sample: of dropout, as in `objectcentric_jax.nn.noise`.
    """

    def last(x):
      x, kernel, bias = promote_dtype(
        x, weights[MASK_LAYER].kernel, weights[MASK_LAYER].bias, dtype=self.dtype
      )
      return convolve(x, kernel) + bias.reshape(1, 1, 1, -1)

    def drop(name, x, rate):
      return draw_dropout(self, sample, name, x, rate)

    return mask_logits(self._layers(weights), last, features, low, size, drop)

  def _layers(self, weights: Mapping[str, Generated]) -> Layer:
    axis_name = None if self.is_initializing() else self.axis_name

    def layer(name, x, stride=1, padding=0, dilation=1):
      own = weights[name]
      x, kernel = promote_dtype(x, own.kernel, dtype=self.dtype)
      y = convolve(x, kernel, stride, padding, dilation)
      y = normalise_batch(y, own.scale, own.bias, axis_name=axis_name)
      return y.astype(self.dtype or y.dtype)

    return layer


class NormalisedConv(nn.Module):
  """A convolution without bias and its batch normalisation."""

  features: int
  size: int
  stride: int
  padding: int
  dilation: int
  kernel_init: nn.initializers.Initializer
  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    x = Conv(
      *(self.features, self.size, self.stride, self.padding),
      use_bias=False,
      dtype=self.dtype,
      dilation=self.dilation,
      kernel_init=self.kernel_init,
      name="conv",
    )(x)
    return BatchNorm(axis_name=self.axis_name, dtype=self.dtype, name="norm")(x)


def own_layers(
  table: Table, kernel_init: nn.initializers.Initializer, axis_name: str | None, dtype
) -> Layer:
  """Layers with parameters of their own, to be asked for in a compact module."""

  def layer(name, x, stride=1, padding=0, dilation=1):
    outputs, _, size, _ = table[name]
    geometry = (outputs, size, stride, padding, dilation)
    conv = NormalisedConv(*geometry, kernel_init, axis_name, dtype, name=part_name(name))
    return conv(x)

  return layer


class Backbone(nn.Module):
  """The residual network with parameters of its own; see `residual_features`."""

  table: tuple
  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, image: Array) -> tuple[Array, Array]:
    layer = own_layers(dict(self.table), normal_fan_out, self.axis_name, self.dtype)
    return residual_features(layer, image)


class Head(nn.Module):
  """The segmentation head with parameters of its own; see `mask_logits`."""

  table: tuple
  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(
    self, features: Array, low: Array, size: tuple[int, int], sample: Sample = True
  ) -> Array:
    table = dict(self.table)
    layer = own_layers(table, normal_fan_in, self.axis_name, self.dtype)
    last = Conv(
      table[MASK_LAYER][0],
      1,
      dtype=self.dtype,
      kernel_init=normal_fan_in,
      name=part_name(MASK_LAYER),
    )

    def drop(name, x, rate):
      return draw_dropout(self, sample, name, x, rate)

    return mask_logits(layer, last, features, low, size, drop)
