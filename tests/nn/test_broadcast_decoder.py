"""The spatial broadcast decoder against sliding windows in float64."""

import jax
import numpy as np
import pytest

from objectcentric_jax.nn.broadcast_decoder import BroadcastDecoder
from tests.parameters import random_parameters

COUNT, LATENTS, SIDE, OUTPUTS, FEATURES = 2, 5, 6, 3, 4


def started(layers: int):
  decoder = BroadcastDecoder(SIDE, OUTPUTS, FEATURES, layers)
  latent = np.random.default_rng(0).standard_normal((COUNT, LATENTS)).astype(np.float32)
  params = random_parameters(jax.eval_shape(decoder.init, jax.random.key(0), latent)["params"])
  return decoder, params, latent


def elu(x):
  return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def directly(params, latent, layers):
  """Tiled latents and coordinates, then unpadded 3x3 windows."""
  wide = SIDE + 2 * layers
  line = np.linspace(-1, 1, wide)
  x = np.zeros((len(latent), wide, wide, LATENTS + 2))
  x[..., :LATENTS] = latent[:, None, None]
  x[..., LATENTS], x[..., LATENTS + 1] = line[:, None], line[None]
  for i in range(layers):
    kernel, bias = (np.asarray(params[f"conv_{i}"][n], np.float64) for n in ("kernel", "bias"))
    size = x.shape[1] - 2
    y = np.zeros((len(x), size, size, kernel.shape[-1])) + bias
    for row in range(3):
      for column in range(3):
        y += x[:, row : row + size, column : column + size] @ kernel[row, column]
    x = elu(y)
  output = params["output"]
  return x @ np.asarray(output["kernel"][0, 0], np.float64) + output["bias"]


@pytest.mark.parametrize("layers", [1, 3])
def test_equals_sliding_windows(layers):
  decoder, params, latent = started(layers)
  found = jax.jit(decoder.apply)({"params": params}, latent)
  assert found.shape == (COUNT, SIDE, SIDE, OUTPUTS)
  np.testing.assert_allclose(found, directly(params, latent.astype(np.float64), layers), atol=1e-5)


def test_a_pixel_knows_its_place_by_coordinates_alone():
  """Without weights on the coordinates all pixels are the same: no border is padded."""
  decoder, params, latent = started(2)
  params["conv_0"]["kernel"][:, :, LATENTS:] = 0
  found = np.asarray(decoder.apply({"params": params}, latent))
  np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, :1], found.shape), atol=1e-6)
  assert np.abs(found[0] - found[1]).max() > 0.01  # but not those of another latent
