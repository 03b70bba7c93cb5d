"""Inception-v3 as the Frechet distance of images uses it (Heusel et al., 2017).

The network of Szegedy et al. (2016) in the form whose weights TensorFlow published on 2015-12-05
and pytorch-fid converted. It differs from other Inception-v3 in its pools: averages leave the
padding out, and the last block takes the maximum. Layers are named as in the published weights,
which `objectcentric_jax.checkpoint_import.inception` reads.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.normalization import BatchNorm

Array = jax.Array
FEATURES = 2048
SIDE = 299  # of the images that the network was trained on
SMALLEST_SIDE = 75  # of the images that it can take


def inception_features(variables: Any, image: Array) -> Array:
  """Features of images by the published protocol, which stores them in 8 bits.

  Args:
    variables: of `Inception`.
    image: [N, H, W, 3] uint8, or floating point in [0, 1]: values beyond are clipped, and what
      lies between two of the 256 levels goes to the lower one.

  Returns:
    [N, 2048]; NaN for an image with NaN.
  """
  network = Inception()
  # Where matrix units would round float32 further, features would depend on the machine.
  with jax.default_matmul_precision("highest"):
    x = resize_bilinear(levels(image) / 255, SIDE)
    return network.apply(variables, 2 * x - 1)


def levels(image: Array) -> Array:
  """The levels 0 to 255, as floating point, that 8 bits keep of colours in [0, 1], by truncation.

  The levels of a uint8 image are its values.
  """
  if image.dtype == jnp.uint8:
    return image.astype(jnp.float32)
  image = image.astype(jnp.promote_types(image.dtype, jnp.float32))
  return jnp.floor(255 * jnp.clip(image, 0, 1))


def resize_bilinear(image: Array, side: int) -> Array:
  """[N, H, W, C] to [N, side, side, C] as PyTorch without antialiasing and aligned corners."""
  shape = (image.shape[0], side, side, image.shape[3])
  return jax.image.resize(image, shape, "linear", antialias=False)


class Inception(nn.Module):
  """Features [N, 2048] of images [N, H, W, 3] in [-1, 1], H and W at least 75, in inference.

  The variables are `params` (convolutions, and scale and shift of their normalisations) and
  `batch_stats` (the normalisations' means and variances).
  """

  @nn.compact
  def __call__(self, x: Array) -> Array:
    if x.ndim != 4 or x.shape[3] != 3 or min(x.shape[1:3]) < SMALLEST_SIDE:
      raise ValueError(f"images {x.shape}: [N, H, W, 3] of {SMALLEST_SIDE} pixels on are needed")
    x = _unit(x, "Conv2d_1a_3x3", 32, 3, stride=2)
    x = _unit(x, "Conv2d_2a_3x3", 32, 3)
    x = _unit(x, "Conv2d_2b_3x3", 64, 3, padding=1)
    x = _shrinking_pool(x)
    x = _unit(x, "Conv2d_3b_1x1", 80)
    x = _unit(x, "Conv2d_4a_3x3", 192, 3)
    x = _shrinking_pool(x)
    for letter, pooled in zip("bcd", (32, 64, 64), strict=True):
      x = BlockA(pooled, name=f"Mixed_5{letter}")(x)
    x = BlockB(name="Mixed_6a")(x)
    for letter, width in zip("bcde", (128, 160, 160, 192), strict=True):
      x = BlockC(width, name=f"Mixed_6{letter}")(x)
    x = BlockD(name="Mixed_7a")(x)
    x = BlockE(average_pool, name="Mixed_7b")(x)
    x = BlockE(max_pool, name="Mixed_7c")(x)
    return x.mean((1, 2))


class BlockA(nn.Module):
  """1x1, 5x5 and two 3x3 convolutions side by side, and a pool with `pooled` channels."""

  pooled: int

  @nn.compact
  def __call__(self, x: Array) -> Array:
    one = _unit(x, "branch1x1", 64)
    five = _unit(x, "branch5x5_1", 48)
    five = _unit(five, "branch5x5_2", 64, 5, padding=2)
    double = _unit(x, "branch3x3dbl_1", 64)
    double = _unit(double, "branch3x3dbl_2", 96, 3, padding=1)
    double = _unit(double, "branch3x3dbl_3", 96, 3, padding=1)
    pool = _unit(average_pool(x), "branch_pool", self.pooled)
    return jnp.concatenate([one, five, double, pool], axis=-1)


class BlockB(nn.Module):
  """Halves rows and columns: 3x3 and two 3x3 convolutions, and a pool."""

  @nn.compact
  def __call__(self, x: Array) -> Array:
    three = _unit(x, "branch3x3", 384, 3, stride=2)
    double = _unit(x, "branch3x3dbl_1", 64)
    double = _unit(double, "branch3x3dbl_2", 96, 3, padding=1)
    double = _unit(double, "branch3x3dbl_3", 96, 3, stride=2)
    return jnp.concatenate([three, double, _shrinking_pool(x)], axis=-1)


class BlockC(nn.Module):
  """1x1, 7x7 and two 7x7 convolutions, the latter split into rows and columns, and a pool."""

  width: int

  @nn.compact
  def __call__(self, x: Array) -> Array:
    one = _unit(x, "branch1x1", 192)
    seven = _unit(x, "branch7x7_1", self.width)
    seven = _unit(seven, "branch7x7_2", self.width, (1, 7), padding=(0, 3))
    seven = _unit(seven, "branch7x7_3", 192, (7, 1), padding=(3, 0))
    double = _unit(x, "branch7x7dbl_1", self.width)
    double = _unit(double, "branch7x7dbl_2", self.width, (7, 1), padding=(3, 0))
    double = _unit(double, "branch7x7dbl_3", self.width, (1, 7), padding=(0, 3))
    double = _unit(double, "branch7x7dbl_4", self.width, (7, 1), padding=(3, 0))
    double = _unit(double, "branch7x7dbl_5", 192, (1, 7), padding=(0, 3))
    pool = _unit(average_pool(x), "branch_pool", 192)
    return jnp.concatenate([one, seven, double, pool], axis=-1)


class BlockD(nn.Module):
  """Halves rows and columns: 3x3, and 7x7 followed by 3x3 convolutions, and a pool."""

  @nn.compact
  def __call__(self, x: Array) -> Array:
    three = _unit(x, "branch3x3_1", 192)
    three = _unit(three, "branch3x3_2", 320, 3, stride=2)
    seven = _unit(x, "branch7x7x3_1", 192)
    seven = _unit(seven, "branch7x7x3_2", 192, (1, 7), padding=(0, 3))
    seven = _unit(seven, "branch7x7x3_3", 192, (7, 1), padding=(3, 0))
    seven = _unit(seven, "branch7x7x3_4", 192, 3, stride=2)
    return jnp.concatenate([three, seven, _shrinking_pool(x)], axis=-1)


class BlockE(nn.Module):
  """1x1, 3x3 and two 3x3 convolutions that end in a row and a column each, and `pool`."""

  pool: Callable[[Array], Array]

  @nn.compact
  def __call__(self, x: Array) -> Array:
    one = _unit(x, "branch1x1", 320)
    three = _unit(x, "branch3x3_1", 384)
    three_row = _unit(three, "branch3x3_2a", 384, (1, 3), padding=(0, 1))
    three_column = _unit(three, "branch3x3_2b", 384, (3, 1), padding=(1, 0))
    double = _unit(x, "branch3x3dbl_1", 448)
    double = _unit(double, "branch3x3dbl_2", 384, 3, padding=1)
    double_row = _unit(double, "branch3x3dbl_3a", 384, (1, 3), padding=(0, 1))
    double_column = _unit(double, "branch3x3dbl_3b", 384, (3, 1), padding=(1, 0))
    pool = _unit(self.pool(x), "branch_pool", 192)
    branches = [one, three_row, three_column, double_row, double_column, pool]
    return jnp.concatenate(branches, axis=-1)


class Unit(nn.Module):
  """Convolution without bias, normalisation by stored statistics, ReLU."""

  features: int
  size: int | tuple[int, int]
  stride: int
  padding: int | tuple[int, int]

  @nn.compact
  def __call__(self, x: Array) -> Array:
    conv = Conv(self.features, self.size, self.stride, self.padding, use_bias=False, name="conv")
    return nn.relu(BatchNorm(epsilon=1e-3, name="bn")(conv(x)))


def _unit(x: Array, name: str, features: int, size=1, stride=1, padding=0) -> Array:
  return Unit(features, size, stride, padding, name=name)(x)


def average_pool(x: Array) -> Array:
  """Mean over 3x3 pixels around each pixel, of those inside the image."""
  return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False).astype(x.dtype)


def max_pool(x: Array) -> Array:
  """Maximum over 3x3 pixels around each pixel."""
  return nn.max_pool(x, (3, 3), (1, 1), "SAME")


def _shrinking_pool(x: Array) -> Array:
  return nn.max_pool(x, (3, 3), (2, 2))
