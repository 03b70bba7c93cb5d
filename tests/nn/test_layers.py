"""Dense layer, normalisation, coordinates and number formats."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.nn.compute import compute_dtype, unroll_length
from objectcentric_jax.nn.coordinates import broadcast, coordinates
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.normalization import GroupNorm


def group_norm(x, groups, scale, bias, epsilon=1e-5):
  """Group normalisation in float64, image by image and group by group."""
  x = np.asarray(x, np.float64)
  out = np.zeros_like(x)
  size = x.shape[-1] // groups
  for n in range(x.shape[0]):
    for start in range(0, x.shape[-1], size):
      part = x[n, ..., start : start + size]
      normalised = (part - part.mean()) / np.sqrt(part.var() + epsilon)
      out[n, ..., start : start + size] = normalised
  return out * np.asarray(scale, np.float64) + np.asarray(bias, np.float64)


def images(kind: str) -> np.ndarray:
  x = np.random.default_rng(1).standard_normal((3, 32, 16, 16)).astype(np.float32)
  offset = np.arange(16, dtype=np.float32)
  return {
    "ordinary": x * 2 + offset,
    "constant": np.broadcast_to(offset, x.shape).copy(),
    "nearly constant": 1e-3 * x + 1.0,
    "large offset": x + 1000.0,
  }[kind]


@pytest.mark.parametrize(
  "kind, tolerance",
  [("ordinary", 2e-6), ("constant", 1e-6), ("nearly constant", 2e-4), ("large offset", 1e-4)],
)
def test_group_norm_equals_float64(kind, tolerance):
  """The tolerances are what the float32 input itself leaves open."""
  x = images(kind)
  rng = np.random.default_rng(2)
  params = {name: rng.standard_normal(16).astype(np.float32) for name in ("scale", "bias")}
  found = jax.jit(GroupNorm().apply)({"params": params}, x)
  expected = group_norm(x, 8, **params)
  np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(
  "shape, groups", [((2, 7, 9, 12), 4), ((1, 1, 31, 6), 3), ((3, 50, 1, 4), 4)]
)
def test_group_norm_of_any_size(shape, groups):
  x = np.random.default_rng(3).standard_normal(shape).astype(np.float32) + 1
  params = {"scale": np.full(shape[-1], 2.0), "bias": np.arange(shape[-1], dtype=np.float32)}
  found = jax.jit(GroupNorm(groups).apply)({"params": params}, x)
  np.testing.assert_allclose(found, group_norm(x, groups, **params), atol=1e-5)


def test_group_norm_takes_its_statistics_in_float32():
  x = jnp.asarray(images("ordinary"), jnp.bfloat16)
  params = {"scale": jnp.ones(16), "bias": jnp.zeros(16)}
  found = GroupNorm(dtype=jnp.bfloat16).apply({"params": params}, x)
  assert found.dtype == jnp.bfloat16
  expected = group_norm(np.asarray(x, np.float32), 8, params["scale"], params["bias"])
  rounded = np.asarray(jnp.asarray(expected, jnp.bfloat16), np.float32)
  # Only the result is rounded: at most one unit in the last of 8 places apart.
  np.testing.assert_allclose(np.asarray(found, np.float32), rounded, rtol=2**-7, atol=1e-6)
  assert np.mean(np.asarray(found, np.float32) == rounded) > 0.99


def test_group_norm_starts_as_the_identity_of_normalised_values():
  params = GroupNorm().init(jax.random.key(0), jnp.zeros((1, 2, 2, 16)))["params"]
  np.testing.assert_array_equal(params["scale"], np.ones(16))
  np.testing.assert_array_equal(params["bias"], np.zeros(16))


def test_linear_is_affine_in_the_last_axis():
  x = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float32)
  params = Linear(7).init(jax.random.key(0), x)["params"]
  found = Linear(7).apply({"params": params}, x)
  kernel, bias = np.asarray(params["kernel"]), np.asarray(params["bias"])
  np.testing.assert_allclose(found, np.einsum("abi,io->abo", x, kernel) + bias, atol=1e-6)
  bound = 5**-0.5
  assert 0.8 * bound < np.abs(kernel).max() <= bound and np.abs(bias).max() <= bound


def test_coordinates_are_rows_then_columns_with_both_ends():
  grid = np.asarray(coordinates(3, 5))
  assert grid.shape == (3, 5, 2)
  np.testing.assert_allclose(grid[:, 2, 0], [-1, 0, 1], atol=1e-7)
  np.testing.assert_allclose(grid[1, :, 1], [-1, -0.5, 0, 0.5, 1], atol=1e-7)
  assert (grid[..., 0] == grid[:, :1, 0]).all() and (grid[..., 1] == grid[:1, :, 1]).all()


def test_broadcast_tiles_latents_and_appends_coordinates():
  latent = np.random.default_rng(0).standard_normal((2, 7)).astype(np.float32)
  plane = np.asarray(broadcast(jnp.asarray(latent), 3, 5))
  assert plane.shape == (2, 3, 5, 9)
  np.testing.assert_array_equal(plane[1, 2, 4, :7], latent[1])
  np.testing.assert_array_equal(plane[..., 7:], np.stack([coordinates(3, 5)] * 2))


def test_number_formats():
  assert compute_dtype("float32") is None and compute_dtype("bfloat16") == jnp.bfloat16
  with pytest.raises(InputError, match="config.model.dtype is 'float16': choose"):
    compute_dtype("float16")


def test_loops_are_unrolled_on_the_cpu_unless_told(monkeypatch):
  assert [unroll_length(0, 5), unroll_length(2, 5), unroll_length(0, 0)] == [5, 2, 1]
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  assert [unroll_length(0, 5), unroll_length(2, 5)] == [1, 2]
