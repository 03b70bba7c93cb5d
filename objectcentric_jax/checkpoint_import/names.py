"""From the names and layouts of a published PyTorch state dict to a Flax parameter tree.

An importer gives a table: published name -> (our path, how to rearrange). Nothing may be left over
on either side.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.traverse_util
import numpy as np

from objectcentric_jax.errors import InputError

Rearrange = Callable[[np.ndarray], np.ndarray]


class Target(NamedTuple):
  """Where a published tensor goes: a path such as "encoder/conv/kernel", and its rearrangement."""

  path: str
  rearrange: Rearrange


def same(weight: np.ndarray) -> np.ndarray:
  """Vectors and scalars keep their layout."""
  return weight


def convolution(weight: np.ndarray) -> np.ndarray:
  """(O, I, k, k) to HWIO."""
  return weight.transpose(2, 3, 1, 0)


def transposed_convolution(weight: np.ndarray) -> np.ndarray:
  """(I, O, k, k) to the HWIO kernel of the equivalent convolution, flipped in space."""
  return weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)


def linear(weight: np.ndarray) -> np.ndarray:
  """(O, I) to (I, O)."""
  return weight.transpose()


def linear_after_flatten(height: int, width: int) -> Rearrange:
  """Linear weight whose input was a flattened (C, H, W) image; ours flattens (H, W, C)."""

  def rearrange(weight):
    outputs = weight.shape[0]
    image = weight.reshape(outputs, -1, height, width)
    return image.transpose(2, 3, 1, 0).reshape(-1, outputs)

  return rearrange


def linear_before_unflatten(height: int, width: int) -> Rearrange:
  """Linear weight or bias whose output is read as a (C, H, W) image; ours reads (H, W, C)."""

  def rearrange(weight):
    image = weight.reshape(-1, height, width, *weight.shape[1:])
    image = np.moveaxis(image, 0, 2).reshape(weight.shape)
    return image.transpose()

  return rearrange


def layer(published: str, ours: str, rearrange: Rearrange, bias: bool = True) -> dict[str, Target]:
  """Targets of a convolution or linear layer."""
  table = {f"{published}.weight": Target(f"{ours}/kernel", rearrange)}
  if bias:
    table[f"{published}.bias"] = Target(f"{ours}/bias", same)
  return table


def norm(published: str, ours: str) -> dict[str, Target]:
  """Targets of a normalisation's scale and shift."""
  return {
    f"{published}.weight": Target(f"{ours}/scale", same),
    f"{published}.bias": Target(f"{ours}/bias", same),
  }


def lstm(published: str, ours: str) -> dict[str, Target]:
  """Targets of a one-layer LSTM."""
  return {
    f"{published}.weight_ih_l0": Target(f"{ours}/input_kernel", linear),
    f"{published}.weight_hh_l0": Target(f"{ours}/hidden_kernel", linear),
    f"{published}.bias_ih_l0": Target(f"{ours}/input_bias", same),
    f"{published}.bias_hh_l0": Target(f"{ours}/hidden_bias", same),
  }


def convert(
  state_dict: Mapping[str, np.ndarray],
  table: Mapping[str, Target],
  template: Any,
  source: str,
  ignored: Sequence[str] = (),
  dtype: np.dtype = np.float32,
  expected: str = "config.model",
) -> Any:
  """Parameter tree from a published state dict.

  Args:
    state_dict: published names and arrays.
    table: where each goes.
    template: tree of arrays or shapes that the result must match.
    source: file the state dict came from, for messages.
    ignored: endings of published names that carry nothing.
    dtype: of the resulting floating-point arrays.
    expected: what the file is compared with, for messages.

  Raises:
    InputError: names are unused or missing, or shapes differ; lists them.
  """
  present = {name for name in state_dict if not name.endswith(tuple(ignored))}
  unused, missing = sorted(present - table.keys()), sorted(table.keys() - present)
  if unused or missing:
    parts = [f"{len(unused)} unused: {', '.join(unused)}"] if unused else []
    parts += [f"{len(missing)} missing: {', '.join(missing)}"] if missing else []
    raise InputError(f"{source} does not match {expected}; {'; '.join(parts)}")
  shapes = flax.traverse_util.flatten_dict(template, sep="/")
  converted, wrong = {}, []
  for name, target in table.items():
    value = np.array(target.rearrange(np.asarray(state_dict[name])), dtype, order="C")
    leaf = shapes.get(target.path)
    if leaf is None:
      raise KeyError(f"the import table names {target.path}, which the model does not have")
    if value.shape != leaf.shape:
      wrong.append(f"{name} {state_dict[name].shape} for {target.path} {leaf.shape}")
    converted[target.path] = value
  if wrong:
    raise InputError(f"{source} does not fit {expected}: {'; '.join(wrong)}")
  unset = sorted(shapes.keys() - converted.keys())
  if unset:
    raise KeyError(f"the import table does not set {', '.join(unset)}")
  return flax.traverse_util.unflatten_dict(converted, sep="/")
