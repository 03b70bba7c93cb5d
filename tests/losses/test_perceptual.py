"""Features of VGG16 against a plain computation, and the likelihood over them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate
from scipy.stats import norm

from objectcentric_jax.checkpoint_import import vgg
from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.perceptual import (
  LAYERS,
  check_layers,
  kernel_shapes,
  perceptual_log_likelihood,
  vgg_features,
)
from tests.checkpoint_import.torch_writer import save_zip
from tests.parameters import random_parameters

SHOWN = ("relu1_1", "relu2_1")


@pytest.fixture(scope="module")
def weights():
  return random_parameters(vgg.template(SHOWN))


@pytest.fixture(scope="module")
def images():
  return np.random.default_rng(0).uniform(size=(2, 6, 8, 3)).astype(np.float32)


def convolved(x, weights):
  """ReLU of a padded 3x3 convolution of one image [H, W, I]."""
  padded = np.pad(x, ((1, 1), (1, 1), (0, 0))).astype(np.float64)
  kernel = np.asarray(weights["kernel"], np.float64)
  maps = [correlate(padded, kernel[..., o], "valid")[..., 0] for o in range(kernel.shape[-1])]
  return np.maximum(np.stack(maps, -1) + weights["bias"], 0)


def test_features(weights, images):
  first, second = vgg_features(weights, images, SHOWN)
  x = convolved(images[1], weights["relu1_1"])
  np.testing.assert_allclose(first[1], x, atol=1e-5)
  x = convolved(x, weights["relu1_2"])
  x = x.reshape(3, 2, 4, 2, -1).max((1, 3))
  np.testing.assert_allclose(second[1], convolved(x, weights["relu2_1"]), atol=1e-4)


def test_likelihood_and_where_gradients_go(weights, images):
  other = images[::-1].copy()
  found = perceptual_log_likelihood(weights, images, other, SHOWN, 0.3)
  assert found.shape == (2, 2)
  for layer, (x, y) in enumerate(
    zip(*(vgg_features(weights, i, SHOWN) for i in (images, other)), strict=True)
  ):
    expected = norm.logpdf(np.float64(x), np.float64(y), 0.3).sum((1, 2, 3))
    np.testing.assert_allclose(found[:, layer], expected, rtol=1e-5)

  def total(weights, image, reconstruction):
    return perceptual_log_likelihood(weights, image, reconstruction, SHOWN, 0.3).sum()

  gradients = jax.grad(total, (0, 1, 2))(weights, jnp.asarray(images), jnp.asarray(other))
  assert all(not leaf.any() for leaf in jax.tree.leaves(gradients[:2]))
  assert np.abs(gradients[2]).max() > 0


def test_layers():
  assert len(LAYERS) == 13 and LAYERS[2] == "relu2_1" and LAYERS[-1] == "relu5_3"
  shapes = kernel_shapes(("relu1_2", "relu3_1"))
  assert list(shapes) == ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"]
  assert shapes["relu3_1"] == (3, 3, 128, 256)
  check_layers(LAYERS)
  for layers, message in ((("relu1_3",), "'relu1_3'"), ((), "is empty")):
    with pytest.raises(InputError, match=message):
      check_layers(layers)


def published(**changes):
  """A state dict of torchvision's names, of layers up to the fourth and a classifier."""
  places = vgg.positions()
  state = {"classifier.0.weight": np.zeros((2, 3), np.float32)}
  for i, (name, shape) in enumerate(kernel_shapes(("relu2_2",)).items()):
    state[f"features.{places[name]}.weight"] = np.full(shape[::-1], i, np.float32)
    state[f"features.{places[name]}.bias"] = np.full(shape[-1], i, np.float32)
  return state | changes


def test_weights_from_a_file(tmp_path):
  path = tmp_path / "vgg16.pth"
  save_zip(path, published())
  weights = vgg.read(path, ("relu1_2",))
  assert list(weights) == ["relu1_1", "relu1_2"]
  assert (weights["relu1_2"]["kernel"] == 1).all()
  assert weights["relu1_2"]["kernel"].shape == (3, 3, 64, 64)
  assert [vgg.positions()[name] for name in ("relu1_2", "relu2_2", "relu4_3")] == [2, 7, 21]
  save_zip(path, published(**{"features.1.weight": np.zeros(3, np.float32)}))
  with pytest.raises(InputError, match="does not match VGG16; 1 unused: features.1.weight"):
    vgg.read(path, ("relu1_2",))
  with pytest.raises(InputError, match="no such file"):
    vgg.read(tmp_path / "other.pth", ("relu1_2",))
