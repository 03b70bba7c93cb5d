"""Published weights of VGG16: torchvision's state dict, such as vgg16-397923af.pth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from objectcentric_jax.checkpoint_import import torch_file
from objectcentric_jax.checkpoint_import.names import Target, convert, convolution, layer
from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.perceptual import BLOCKS, LAYERS, kernel_shapes

CLASSIFIER = "classifier."


def positions() -> dict[str, int]:
  """Where each layer's convolution stands in the published sequence."""
  found, position = {}, 0
  for i, block in enumerate(BLOCKS):
    for j in range(len(block)):
      found[f"relu{i + 1}_{j + 1}"] = position
      position += 2  # the activation
    position += 1  # the pooling
  return found


def table(layers: Sequence[str]) -> dict[str, Target]:
  """Published name -> our weight, of these layers."""
  places = positions()
  targets = {}
  for name in layers:
    targets |= layer(f"features.{places[name]}", name, convolution)
  return targets


def template(layers: Sequence[str]) -> dict[str, Any]:
  """Shapes of the weights that features of these layers need."""
  return {
    name: {
      "kernel": jax.ShapeDtypeStruct(shape, np.float32),
      "bias": jax.ShapeDtypeStruct(shape[-1:], np.float32),
    }
    for name, shape in kernel_shapes(layers).items()
  }


def import_weights(
  state_dict: Mapping[str, np.ndarray],
  layers: Sequence[str],
  source: str,
  dtype: type = np.float32,
) -> dict[str, Any]:
  """What `objectcentric_jax.losses.perceptual` needs for these layers; strict both ways.

  Raises:
    InputError: names are unused or missing, or shapes differ; lists them.
  """
  like = template(layers)
  beyond = table([name for name in LAYERS if name not in like])
  weights = {
    name: value
    for name, value in state_dict.items()
    if name not in beyond and not name.startswith(CLASSIFIER)
  }
  return convert(weights, table(list(like)), like, source, dtype=dtype, expected="VGG16")


def read(path: str | Path, layers: Sequence[str]) -> dict[str, Any]:
  """The weights from a file.

  Raises:
    InputError: the file is missing or damaged or holds another network.
  """
  if not Path(path).is_file():
    raise InputError(
      f"config.model.perceptual.weights is {str(path)!r}: no such file; it needs torchvision's "
      "VGG16, https://download.pytorch.org/models/vgg16-397923af.pth"
    )
  return import_weights(torch_file.state_dict(torch_file.read(path), path), layers, str(path))
