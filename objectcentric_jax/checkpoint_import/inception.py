"""Published weights of the Inception-v3 that the Frechet distance of images is defined with.

The file is a PyTorch state dict of the network that pytorch-fid builds: torchvision's layer names,
1008 classes, no auxiliary classifier.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.traverse_util
import jax
import numpy as np

from objectcentric_jax.checkpoint_import import torch_file
from objectcentric_jax.checkpoint_import.names import Target, convert, convolution, same
from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.inception import FEATURES, SMALLEST_SIDE, Inception

FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
CHECKSUM = "6726825d"  # how the file's SHA-256 begins, as its name says

# The layer behind the features, which is not imported: other Inception-v3 have other classes.
CLASSIFIER = {"fc.weight": (1008, FEATURES), "fc.bias": (1008,)}

# Our leaf of a layer -> the published one, and how to rearrange it.
LEAVES = {
  "kernel": ("weight", convolution),
  "scale": ("weight", same),
  "bias": ("bias", same),
  "mean": ("running_mean", same),
  "variance": ("running_var", same),
}


def template() -> Any:
  """Shapes of the variables of `Inception`."""
  image = jax.ShapeDtypeStruct((1, SMALLEST_SIDE, SMALLEST_SIDE, 3), np.float32)
  return jax.eval_shape(Inception().init, jax.random.key(0), image)


def table(variables: Any) -> dict[str, Target]:
  """Published name -> our variable, for all of `variables`; the layers have the published names."""
  targets = {}
  for collection, *layer, leaf in flax.traverse_util.flatten_dict(variables):
    published, rearrange = LEAVES[leaf]
    targets[".".join([*layer, published])] = Target("/".join([collection, *layer, leaf]), rearrange)
  return targets


def import_variables(
  state_dict: Mapping[str, np.ndarray], source: str, dtype: type = np.float32
) -> Any:
  """Variables of `Inception` from the published state dict; strict both ways.

  Raises:
    InputError: names are unused or missing, or shapes differ; lists them.
  """
  for name, expected in CLASSIFIER.items():
    found = state_dict[name].shape if name in state_dict else "missing"
    if found != expected:
      raise InputError(
        f"{source}: {name} is {found}, not {expected}: these are the weights of another network; "
        f"download {URL}"
      )
  variables = template()
  return convert(
    {name: value for name, value in state_dict.items() if name not in CLASSIFIER},
    table(variables),
    variables,
    source,
    ignored=(".num_batches_tracked",),
    dtype=dtype,
    expected=f"the network of {FILE}",
  )


def read(path: str | Path) -> Any:
  """Variables of `Inception` from a file of published weights.

  Raises:
    InputError: the file is missing or damaged or holds another network.
  """
  return import_variables(torch_file.state_dict(torch_file.read(path), path), str(path))


def checksum(path: str | Path) -> str:
  """SHA-256 of a file; that of the published one begins with `CHECKSUM`."""
  with Path(path).open("rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()
