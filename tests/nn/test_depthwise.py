"""Depthwise convolutions: against the grouped convolution that they replace, gradients too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from objectcentric_jax.nn import depthwise
from objectcentric_jax.nn.depthwise import DepthwiseConv, convolve_depthwise

COUNT, HEIGHT, WIDTH, CHANNELS, SIZE = 2, 6, 5, 3, 7


def drawn(*shape):
  return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


def grouped(x, kernel):
  margin = (kernel.shape[0] // 2,) * 2
  return lax.conv_general_dilated(
    x,
    kernel[:, :, None],
    (1, 1),
    (margin, margin),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=x.shape[-1],
  )


def of_each(x, kernels):
  return jnp.concatenate([grouped(x[i : i + 1], kernels[i]) for i in range(len(x))])


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize(
  ("shape", "reference"), [((SIZE, SIZE), grouped), ((COUNT, 3, 3), of_each)], ids=["one", "each"]
)
def test_values_and_gradients(backend, shape, reference, monkeypatch):
  """Both forms; one kernel for all images, and one for each."""
  monkeypatch.setattr(depthwise.jax, "default_backend", lambda: backend)
  x, kernel = drawn(COUNT, HEIGHT, WIDTH, CHANNELS), drawn(*shape, CHANNELS)
  weight = drawn(COUNT, HEIGHT, WIDTH, CHANNELS) * 2

  def differentiated(convolve):
    def loss(x, kernel):
      y = convolve(x, kernel)
      return (y * weight).sum(), y

    return jax.grad(loss, (0, 1), has_aux=True)(x, kernel)

  expected, found = differentiated(reference), differentiated(convolve_depthwise)
  for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4)


def test_layer_adds_its_bias_and_follows_its_input():
  x = drawn(COUNT, HEIGHT, WIDTH, CHANNELS)
  layer = DepthwiseConv(3)
  params = layer.init(jax.random.key(0), x)
  assert jax.tree.map(jnp.shape, params["params"]) == {"kernel": (3, 3, CHANNELS), "bias": (3,)}
  without = grouped(x, params["params"]["kernel"])
  bias = params["params"]["bias"].reshape(1, 1, 1, -1)
  np.testing.assert_allclose(layer.apply(params, x), without + bias, rtol=1e-5, atol=1e-5)
  with jax.enable_x64(True):
    assert layer.apply(params, x.astype(jnp.float64)).dtype == jnp.float64
