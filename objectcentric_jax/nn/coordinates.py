"""Pixel coordinates as extra channels (Watters et al., 2019, spatial broadcast decoder)."""

import jax
import jax.numpy as jnp

Array = jax.Array


def coordinates(height: int, width: int, dtype=jnp.float32) -> Array:
  """[height, width, 2]: row then column coordinate, each from -1 to 1 with both ends included."""
  rows = jnp.linspace(-1.0, 1.0, height, dtype=dtype)
  columns = jnp.linspace(-1.0, 1.0, width, dtype=dtype)
  return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)


def broadcast(latent: Array, height: int, width: int) -> Array:
  """Tiles latents [N, D] over the plane and appends coordinates: [N, height, width, D + 2]."""
  count, size = latent.shape
  plane = jnp.broadcast_to(latent[:, None, None, :], (count, height, width, size))
  grid = jnp.broadcast_to(coordinates(height, width, latent.dtype), (count, height, width, 2))
  return jnp.concatenate([plane, grid], axis=-1)


def with_coordinates(x: Array) -> Array:
  """Appends the coordinates of every pixel: [N, height, width, C] to [N, height, width, C + 2]."""
  grid = coordinates(x.shape[1], x.shape[2], x.dtype)
  return jnp.concatenate([x, jnp.broadcast_to(grid, (*x.shape[:3], 2))], axis=-1)
