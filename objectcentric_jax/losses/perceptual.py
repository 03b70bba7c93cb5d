"""Likelihood of images in the feature space of a frozen VGG16 (Simonyan and Zisserman, 2015).

After Johnson et al., "Perceptual losses" (2016), in the form of LossNetwork.py and
train_perceptual.py of orhunguley/unsupervised_object_learning: images are not normalised as for
ImageNet, and features of the image are the data of a Gaussian around those of the reconstruction.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.errors import InputError, closest
from objectcentric_jax.losses.gaussian import LOG_TWO_PI
from objectcentric_jax.nn.convolution import convolve

Array = jax.Array

# Features of the convolutions of each block, which a max pooling follows. relu2_1 is the output of
# the first one of the second block.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
LAYERS = tuple(f"relu{i + 1}_{j + 1}" for i, block in enumerate(BLOCKS) for j in range(len(block)))


def check_layers(layers: Sequence[str]):
  """Raises InputError unless each is one of LAYERS."""
  if not layers:
    raise InputError("config.model.perceptual.layers is empty: name one at least, such as relu2_2")
  for layer in layers:
    if layer not in LAYERS:
      hint = closest(str(layer), LAYERS) or f"; there are: {', '.join(LAYERS)}"
      raise InputError(f"config.model.perceptual.layers has {layer!r}, not a layer of VGG16{hint}")


def needed(layers: Sequence[str]) -> tuple[str, ...]:
  """The layers up to the last of these."""
  return LAYERS[: max(map(LAYERS.index, layers)) + 1]


def kernel_shapes(layers: Sequence[str]) -> dict[str, tuple[int, ...]]:
  """Shape of the kernel [3, 3, I, O] of every layer that these need."""
  widths = [width for block in BLOCKS for width in block]
  inputs = [3, *widths]
  shapes = zip(LAYERS, inputs, widths, strict=False)
  return {name: (3, 3, *size) for name, *size in shapes if name in needed(layers)}


def vgg_features(weights: Mapping[str, Any], images: Array, layers: Sequence[str]) -> list[Array]:
  """Features of images [N, H, W, 3] in [0, 1] behind these layers, each [N, H', W', C].

  `weights` has a kernel [3, 3, I, O] and a bias [O] by the name of every layer that is needed.
  """
  x, found = images, {}
  for name in needed(layers):
    if name.endswith("_1") and name != LAYERS[0]:
      x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    kernel, bias = (weights[name][part].astype(x.dtype) for part in ("kernel", "bias"))
    x = jax.nn.relu(convolve(x, kernel, padding=1) + bias.reshape(1, 1, 1, -1))
    found[name] = x
  return [found[name] for name in layers]


def perceptual_log_likelihood(
  weights: Mapping[str, Any],
  image: Array,
  reconstruction: Array,
  layers: Sequence[str],
  deviation: float,
) -> Array:
  """log N(f(image); f(reconstruction), deviation) of every layer: [N, layers], nats.

  Summed over places and features; no gradient reaches the weights or the image.
  """
  weights, image = lax.stop_gradient((weights, image))
  both = zip(
    vgg_features(weights, image, layers), vgg_features(weights, reconstruction, layers), strict=True
  )
  return jnp.stack([_log_likelihood(x, y, deviation) for x, y in both], axis=-1)


def _log_likelihood(x: Array, y: Array, deviation: float) -> Array:
  """log N(x; y, deviation) summed to [N]; distances alone are added up, row by row, for digits."""
  squares = (((x - y) / deviation) ** 2).sum(3).mean(2).mean(1)
  places, features = x.shape[1] * x.shape[2], x.shape[3]
  constant = features * (LOG_TWO_PI + 2 * math.log(deviation))
  return -0.5 * places * (squares + constant)
