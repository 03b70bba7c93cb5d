"""The component autoencoder: its encoder in float64, and how its parts fit."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.broadcast_decoder import BroadcastDecoder
from objectcentric_jax.nn.component_autoencoder import ComponentAutoencoder
from tests.parameters import random_parameters

COUNT, SIDE, LATENTS = 2, 32, 5


def autoencoder(**options):
  settings = dict(encoder_features=3, decoder_features=4, decoder_layers=2) | options
  return ComponentAutoencoder(SIDE, 7, LATENTS, **settings)


def reconstruct(module, image, log_masks):
  mean, deviation = module.encode(image, log_masks)
  return mean, deviation, module.decode(mean)


def started(module):
  rng = np.random.default_rng(0)
  image = rng.uniform(size=(COUNT, SIDE, SIDE, 3)).astype(np.float32)
  log_masks = -rng.uniform(size=(COUNT, SIDE, SIDE, 1)).astype(np.float32)
  arguments = (jax.random.key(0), image, log_masks)
  shapes = jax.eval_shape(lambda *a: module.init(*a, method=reconstruct), *arguments)
  return random_parameters(shapes["params"]), image, log_masks


def encoded(params, image, log_masks, activation):
  """Mean and raw deviation, window by window."""
  x = np.concatenate([log_masks, image], -1).astype(np.float64)  # the mask comes first
  for i in range(4):
    layer = params[f"conv_{i}"]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    size = x.shape[1] // 2
    y = np.zeros((len(x), size, size, len(layer["bias"]))) + layer["bias"]
    for row in range(3):
      for column in range(3):
        window = padded[:, row : row + 2 * size : 2, column : column + 2 * size : 2]
        y += window @ np.asarray(layer["kernel"][row, column], np.float64)
    x = activation(y)
  hidden = activation(x.reshape(len(x), -1) @ params["hidden"]["kernel"] + params["hidden"]["bias"])
  moments = hidden @ params["moments"]["kernel"] + params["moments"]["bias"]
  return moments[:, :LATENTS], moments[:, LATENTS:]


def elu(x):
  return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


@pytest.mark.parametrize(
  "ours, reference", [(nn.elu, elu), (nn.relu, lambda x: np.maximum(x, 0))], ids=["elu", "relu"]
)
def test_equals_its_equations(ours, reference):
  module = autoencoder(activation=ours)
  params, image, log_masks = started(module)
  apply = jax.jit(lambda p, *a: module.apply({"params": p}, *a, method=reconstruct))
  mean, deviation, decoded = apply(params, image, log_masks)
  expected_mean, raw = encoded(params["encoder"], image, log_masks, reference)
  np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
  np.testing.assert_allclose(deviation, np.logaddexp(0, raw + 0.5) + 1e-8, atol=1e-5)
  decoder = BroadcastDecoder(SIDE, 7, 4, 2, ours)
  by_itself = decoder.apply({"params": params["decoder"]}, mean)
  np.testing.assert_allclose(decoded, by_itself, atol=1e-5)


@pytest.mark.parametrize("latents, hidden", [(16, 256), (128, 256), (200, 400)])
def test_the_hidden_layer_is_as_wide_as_the_moments(latents, hidden):
  module = ComponentAutoencoder(64, 4, latents)
  image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  masks = jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32)
  shapes = jax.eval_shape(
    lambda *a: module.init(jax.random.key(0), *a, method=ComponentAutoencoder.encode), image, masks
  )["params"]["encoder"]
  assert shapes["hidden"]["kernel"].shape == (64 * 4 * 4, hidden)
  assert shapes["moments"]["kernel"].shape == (hidden, 2 * latents)
  assert [shapes[f"conv_{i}"]["kernel"].shape[2:] for i in range(4)] == [
    (4, 32),
    (32, 32),
    (32, 64),
    (64, 64),
  ]
