"""U-Net: the published channel table, and what its blocks do."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.nn.normalization import GroupNorm
from objectcentric_jax.nn.unet import UNet, check_side, unet_channels
from tests.parameters import random_parameters

# By side, in multiples of the base: the outputs on the way down and up, as published.
TABLE = {
  32: ([1, 2, 2, 2], [2, 2, 1, 1]),
  64: ([1, 1, 2, 2, 2], [2, 2, 1, 1, 1]),
  128: ([1, 1, 1, 2, 2, 2], [2, 2, 1, 1, 1, 1]),
  256: ([1, 1, 1, 1, 2, 2, 2], [2, 2, 1, 1, 1, 1, 1]),
}
INPUTS_UP = {
  32: [4, 4, 4, 2],
  64: [4, 4, 4, 2, 2],
  128: [4, 4, 4, 2, 2, 2],
  256: [4, 4, 4, 2, 2, 2, 2],
}


def shapes(side: int, base: int = 8):
  """Shapes of the parameters and of the output."""
  network = UNet(base, functools.partial(GroupNorm))
  image = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
  output, variables = jax.eval_shape(network.init_with_output, jax.random.key(0), image)
  return variables["params"], output


@pytest.mark.parametrize("side", TABLE)
def test_channels_are_the_published_ones(side):
  base = 8
  down, up = TABLE[side]
  assert unet_channels(side, base) == tuple(tuple(base * c for c in part) for part in TABLE[side])
  params, output = shapes(side, base)
  assert output.shape == (2, side, side, base)
  inputs = [3, *(base * c for c in down)]
  for i, channels in enumerate(down):
    assert params[f"down_{i}"]["conv"]["kernel"].shape == (3, 3, inputs[i], base * channels)
  for i, channels in enumerate(up):
    kernel = params[f"up_{i}"]["conv"]["kernel"]
    assert kernel.shape == (3, 3, base * INPUTS_UP[side][i], base * channels)
  flat = 2 * base * 4 * 4
  mlp = [params[f"mlp_{i}"]["kernel"].shape for i in range(3)]
  assert mlp == [(flat, 128), (128, 128), (128, flat)]
  assert len(params) == len(down) + len(up) + 3


def test_every_pixel_sees_the_whole_image_and_its_own_place():
  """A changed pixel moves the output everywhere (through the MLP), most of all at its place."""
  network = UNet(8, functools.partial(GroupNorm))
  params = random_parameters(shapes(32)[0])
  image = np.random.default_rng(1).uniform(size=(1, 32, 32, 3)).astype(np.float32)
  changed = image.copy()
  changed[0, 9, 20] = 5.0
  one, other = jax.jit(network.apply)({"params": params}, np.concatenate([image, changed]))
  change = np.abs(np.asarray(one) - np.asarray(other)).sum(-1)
  assert (change > 0).mean() > 0.99
  row, column = np.unravel_index(change.argmax(), change.shape)
  assert abs(row - 9) <= 4 and abs(column - 20) <= 4


@pytest.mark.parametrize("side", [0, 16, 48, 100])
def test_other_sides_are_refused(side):
  with pytest.raises(InputError, match=f"config.model.side is {side}: .* power of two from 32 on"):
    check_side(side)


@pytest.mark.parametrize("side", TABLE)
def test_published_sides_are_accepted(side):
  check_side(side)
