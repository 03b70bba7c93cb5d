"""Batch and instance normalisation; group normalisation is in test_layers.py.

Sizes differ for every axis: N 3, H 4, W 5, C 6.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.normalization import (
  BatchNorm,
  GroupNorm,
  InstanceNorm,
  normalise_batch,
)

SHAPE = (3, 4, 5, 6)


def images(seed: int = 0, dtype=np.float32):
  rng = np.random.default_rng(seed)
  return (rng.standard_normal(SHAPE) * 2 + np.arange(6) - 1).astype(dtype)


def variables(dtype=np.float32):
  """Parameters and running statistics that are neither zero nor one."""
  rng = np.random.default_rng(9)
  params = {name: rng.standard_normal(6).astype(dtype) for name in ("scale", "bias")}
  statistics = {"mean": rng.standard_normal(6), "variance": rng.uniform(0.5, 3, 6)}
  statistics = {name: value.astype(dtype) for name, value in statistics.items()}
  return {"params": params, "batch_stats": statistics}


def normalise(x, mean, variance, params):
  """In float64, channel by channel."""
  x, out = np.asarray(x, np.float64), np.zeros(x.shape)
  for c in range(x.shape[-1]):
    scaled = (x[..., c] - mean[c]) / np.sqrt(variance[c] + 1e-5)
    out[..., c] = scaled * np.float64(params["scale"][c]) + np.float64(params["bias"][c])
  return out


def channel_statistics(x):
  """Mean, biased and unbiased variance of every channel over all images and pixels."""
  columns = np.asarray(x, np.float64).reshape(-1, x.shape[-1])
  return columns.mean(0), columns.var(0), columns.var(0, ddof=1)


def in_training(x, given, **options):
  apply = jax.jit(lambda v, x: BatchNorm(**options).apply(v, x, mutable=["batch_stats"]))
  y, changed = apply(given, x)
  return y, changed["batch_stats"]


@pytest.mark.parametrize("momentum", [0.1, 0.4])
def test_training_takes_the_statistics_of_the_batch(momentum):
  x, given = images(), variables()
  y, after = in_training(x, given, momentum=momentum)
  mean, biased, unbiased = channel_statistics(x)
  np.testing.assert_allclose(y, normalise(x, mean, biased, given["params"]), atol=5e-6)
  before = given["batch_stats"]
  for name, value in (("mean", mean), ("variance", unbiased)):
    expected = (1 - momentum) * before[name] + momentum * value
    np.testing.assert_allclose(after[name], expected, rtol=2e-6, err_msg=name)


def test_evaluation_takes_the_running_statistics_and_leaves_them():
  x, given = images(), variables()
  y = BatchNorm().apply(given, x)
  statistics = given["batch_stats"]
  expected = normalise(x, statistics["mean"], statistics["variance"], given["params"])
  np.testing.assert_allclose(y, expected, atol=5e-6)
  # An image does not depend on the others.
  np.testing.assert_array_equal(BatchNorm().apply(given, x[:1]), y[:1])


def test_running_statistics_start_as_a_standard_normal():
  started = BatchNorm().init(jax.random.key(0), images())
  np.testing.assert_array_equal(started["batch_stats"]["mean"], np.zeros(6))
  np.testing.assert_array_equal(started["batch_stats"]["variance"], np.ones(6))
  np.testing.assert_array_equal(started["params"]["scale"], np.ones(6))
  np.testing.assert_array_equal(started["params"]["bias"], np.zeros(6))


def test_float64_in_gives_float64_out():
  with jax.enable_x64(True):
    x, given = images(dtype=np.float64), variables(np.float64)
    y, after = jax.device_get(in_training(x, given))
  mean, biased, unbiased = channel_statistics(x)
  assert y.dtype == after["mean"].dtype == after["variance"].dtype == np.float64
  np.testing.assert_allclose(y, normalise(x, mean, biased, given["params"]), atol=1e-12)
  expected = 0.9 * given["batch_stats"]["variance"] + 0.1 * unbiased
  np.testing.assert_allclose(after["variance"], expected, rtol=1e-13)


def test_bfloat16_keeps_statistics_in_float32():
  x, given = jnp.asarray(images(), jnp.bfloat16), variables()
  y, after = in_training(x, given, dtype=jnp.bfloat16)
  assert y.dtype == jnp.bfloat16
  assert after["mean"].dtype == after["variance"].dtype == jnp.float32
  exact = np.asarray(x, np.float32)  # what bfloat16 holds
  mean, biased, unbiased = channel_statistics(exact)
  expected = 0.9 * given["batch_stats"]["mean"] + 0.1 * mean
  np.testing.assert_allclose(after["mean"], expected, rtol=2e-6)
  found = np.asarray(y, np.float32)
  # Only the result is rounded.
  np.testing.assert_allclose(found, normalise(exact, mean, biased, given["params"]), rtol=2**-7)


def test_gradients_pass_through_the_statistics():
  """The normalised values do not feel a shift or a scale of the whole batch."""
  x, given = images(), variables()
  weights = np.random.default_rng(3).standard_normal(SHAPE).astype(np.float32)

  def loss(x):
    y, _ = BatchNorm().apply(given, x, mutable=["batch_stats"])
    return (weights * y).sum()

  gradient = np.asarray(jax.jit(jax.grad(loss))(x), np.float64)
  centred = x - channel_statistics(x)[0]
  assert np.abs(gradient).max() > 0.1
  np.testing.assert_allclose(gradient.sum((0, 1, 2)), 0, atol=1e-4)
  np.testing.assert_allclose((gradient * centred).sum((0, 1, 2)), 0, atol=1e-3)


def test_a_mapped_axis_counts_as_one_batch():
  """Under an axis name the batch is that of all devices; `vmap` stands for `pmap` here."""
  x, given = images(), variables()
  halves = np.stack([x, images(1)])
  alone, after = in_training(halves.reshape(-1, *SHAPE[1:]), given)

  def one(x):
    return BatchNorm(axis_name="devices").apply(given, x, mutable=["batch_stats"])

  y, changed = jax.vmap(one, axis_name="devices")(halves)
  np.testing.assert_allclose(y.reshape(alone.shape), alone, atol=2e-6)
  for name in ("mean", "variance"):
    for device in range(2):
      found = changed["batch_stats"][name][device]
      np.testing.assert_allclose(found, after[name], rtol=2e-6, err_msg=name)


def by_definition(x, scale, bias, axis_name=None):
  """Whose gradient JAX derives."""
  mean = x.mean((0, 1, 2), keepdims=True)
  mean = jax.lax.pmean(mean, axis_name) if axis_name else mean
  variance = ((x - mean) ** 2).mean((0, 1, 2), keepdims=True)
  variance = jax.lax.pmean(variance, axis_name) if axis_name else variance
  shape = (1, 1, 1, -1)
  return (x - mean) / jnp.sqrt(variance + 1e-5) * scale.reshape(shape) + bias.reshape(shape)


@pytest.mark.parametrize("axis_name", [None, "devices"])
def test_the_gradient_in_closed_form_is_the_derived_one(axis_name):
  """Of every device's share, too, where the loss is the sum over devices."""
  with jax.enable_x64(True):
    given = variables(np.float64)["params"]
    x = np.stack([images(seed, np.float64) for seed in range(2)])
    weights = np.random.default_rng(3).standard_normal(x.shape)

    def gradients(form):
      def loss(x, scale, bias, weights):
        return (weights * jnp.sin(form(x, scale, bias, axis_name=axis_name))).sum()

      one = jax.grad(loss, (0, 1, 2))
      many = jax.vmap(one, in_axes=(0, None, None, 0), axis_name=axis_name)
      return many(x, given["scale"], given["bias"], weights)

    found, expected = gradients(normalise_batch), gradients(by_definition)
  for ours, derived in zip(found, expected, strict=True):
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, derived, atol=1e-11)


def test_an_axis_name_is_no_concern_of_initialisation():
  started = BatchNorm(axis_name="devices").init(jax.random.key(0), images())
  assert started["params"]["scale"].shape == (6,)


def test_instance_norm_takes_each_channel_of_each_image():
  x, given = images(), variables()["params"]
  y = InstanceNorm().apply({"params": given}, x)
  for n in range(3):
    mean, biased, _ = channel_statistics(x[n])
    np.testing.assert_allclose(y[n], normalise(x[n], mean, biased, given), atol=5e-6)
  same = GroupNorm(groups=6).apply({"params": given}, x)
  np.testing.assert_array_equal(y, same)
