"""Gated convolutions, and the published plan of encoder and decoder."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.nn.convolution import convolve, convolve_transposed
from objectcentric_jax.nn.gated import (
  GatedConv,
  GatedConvTranspose,
  GatedDecoder,
  GatedEncoder,
  gated_plan,
)
from objectcentric_jax.nn.normalization import BatchNorm, InstanceNorm
from tests.parameters import random_parameters

STRIDES = {
  32: (1, 2, 1, 2, 1),
  64: (1, 2, 1, 2, 1),
  128: (2, 2, 2, 1, 1),
  256: (2, 2, 2, 2, 1),
}
LAST_KERNEL = {32: 8, 64: 16, 128: 16, 256: 16}


def sigmoid(x):
  return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def instance_normalised(x, params):
  x = np.asarray(x, np.float64)
  mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
  return (x - mean) / np.sqrt(variance + 1e-5) * params["scale"] + params["bias"]


@pytest.mark.parametrize("norm", [None, partial(InstanceNorm)], ids=["plain", "normalised"])
@pytest.mark.parametrize("transposed", [False, True], ids=["convolution", "transposed"])
def test_one_half_gates_the_other(transposed, norm):
  x = np.random.default_rng(0).standard_normal((2, 5, 7, 3)).astype(np.float32)
  if transposed:
    layer, form = GatedConvTranspose(4, 5, 2, 2, 1, norm), convolve_transposed
    geometry = (2, 2, 1)
  else:
    layer, form, geometry = GatedConv(4, 5, 2, 2, norm), convolve, (2, 2)
  params = random_parameters(jax.eval_shape(layer.init, jax.random.key(0), x)["params"])
  found = jax.jit(layer.apply)({"params": params}, x)
  convolution = params["conv"]
  both = np.asarray(form(jnp.asarray(x), convolution["kernel"], *geometry)) + convolution["bias"]
  value, gate = both[..., :4], both[..., 4:]
  if norm is not None:
    value = instance_normalised(value, params["value_norm"])
    gate = instance_normalised(gate, params["gate_norm"])
  assert found.shape == value.shape
  np.testing.assert_allclose(found, value * sigmoid(gate), atol=5e-5)


def shapes(module, *arguments):
  output, variables = jax.eval_shape(module.init_with_output, jax.random.key(0), *arguments)
  return output, variables


@pytest.mark.parametrize("side", STRIDES)
def test_plan_is_the_published_one(side):
  assert gated_plan(side) == (STRIDES[side], LAST_KERNEL[side])
  size = LAST_KERNEL[side]
  image = jax.ShapeDtypeStruct((2, side, side, 4), jnp.float32)
  output, variables = shapes(GatedEncoder(11), image)
  assert output.shape == (2, 11)
  params, features = variables["params"], (4, 32, 32, 64, 64, 64)
  for i in range(5):
    kernel = params[f"conv_{i}"]["conv"]["kernel"]
    assert kernel.shape == (5, 5, features[i], 2 * features[i + 1])
  assert params["final"]["conv"]["kernel"].shape == (size, size, 64, 22)

  output, variables = shapes(GatedDecoder(side, 3), jax.ShapeDtypeStruct((2, 9), jnp.float32))
  assert output.shape == (2, side, side, 3)
  params, features = variables["params"], (64, 64, 32, 32, 32, 32)
  assert params["start"]["conv"]["kernel"].shape == (size, size, 9, 128)
  for i in range(5):
    kernel = params[f"conv_{i}"]["conv"]["kernel"]
    assert kernel.shape == (5, 5, features[i], 2 * features[i + 1])
  assert params["output"]["kernel"].shape == (1, 1, 32, 3)


@pytest.mark.parametrize("side", [0, 16, 48, 512])
def test_other_sides_are_refused(side):
  with pytest.raises(InputError, match=f"side is {side}: .* for sides 32, 64, 128, 256$"):
    gated_plan(side)


def test_the_layer_without_space_has_no_norm():
  """The last of the encoder and the first of the decoder."""
  norm = partial(BatchNorm)
  image = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  encoder = shapes(GatedEncoder(7, norm), image)[1]["batch_stats"]
  latent = jax.ShapeDtypeStruct((2, 9), jnp.float32)
  decoder = shapes(GatedDecoder(32, 1, norm), latent)[1]["batch_stats"]
  expected = {f"conv_{i}": {"value_norm", "gate_norm"} for i in range(5)}
  assert {name: set(part) for name, part in encoder.items()} == expected
  assert {name: set(part) for name, part in decoder.items()} == expected
