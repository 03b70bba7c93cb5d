"""Positions as Gaussians: bounds, places read from masks, and who is in front."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.gaussian_position import (
  PositionPooling,
  gaussian_map,
  mask_position,
  place_inside,
  position_embedding,
  prioritize,
  squash_deviation,
)

HEIGHT, WIDTH = 5, 9


def box(top, bottom, left, right):
  mask = np.zeros((1, 11, 11, 1), np.float32)
  mask[:, top:bottom, left:right] = 1
  return jnp.asarray(mask)


def test_gaussians_have_their_top_at_the_position():
  maps = gaussian_map(jnp.array([[0.5, -0.5, 7.0, 0.3], [9.0, 0.0, 0.0, 0.3]]), HEIGHT, WIDTH)
  assert maps.shape == (2, HEIGHT, WIDTH, 1)
  assert np.unravel_index(maps[0, ..., 0].argmax(), (HEIGHT, WIDTH)) == (1, 6)
  assert maps[0].max() == pytest.approx(1.0)
  assert maps[1, 2, -1, 0] == pytest.approx(1.0)  # kept inside of the picture


def test_no_gradient_beyond_the_bounds():
  def total(position):
    return gaussian_map(position, HEIGHT, WIDTH).sum()

  inside = jax.grad(total)(jnp.array([0.3, 0.2, 0.3]))
  outside = jax.grad(total)(jnp.array([1.5, -1.5, 0.9]))
  assert (inside != 0).all()
  np.testing.assert_array_equal(outside, 0)


def test_any_deviation_is_squashed_between_a_pixel_and_half_the_picture():
  position = squash_deviation(jnp.array([[0.1, 0.2, -99.0], [0.1, 0.2, 99.0]]), HEIGHT, WIDTH)
  np.testing.assert_allclose(position, [[0.1, 0.2, 1 / HEIGHT], [0.1, 0.2, 0.5]], rtol=1e-6)


def test_the_embedding_is_one_at_the_position():
  waves = position_embedding(jnp.array([[0.5, -0.5, 0.2]]), HEIGHT, WIDTH)
  assert waves.shape == (1, HEIGHT, WIDTH, 16)
  np.testing.assert_allclose(waves[0, 1, 6], 1, rtol=1e-5)


def test_pooling_follows_the_position():
  features = jnp.asarray(np.random.default_rng(0).standard_normal((2, HEIGHT, WIDTH, 4)), "float32")
  pooling, position = PositionPooling(2), jnp.array([[0.5, -0.5, 0.0], [-1.0, 1.0, 0.0]])
  params = pooling.init(jax.random.key(0), features, position)
  assert pooling.apply(params, features, position).shape == (2, 2)

  def total(position):
    return pooling.apply(params, features, position)[:, 0].sum()

  assert (jax.grad(total)(position)[0, :2] != 0).all()


def test_centre_and_size_of_masks():
  position = mask_position(box(3, 8, 0, 11))
  np.testing.assert_allclose(position, [[0, 0, np.sqrt(55 / 121)]], atol=1e-6)
  position = mask_position(jnp.concatenate([box(0, 1, 10, 11), box(0, 0, 0, 0)]))
  np.testing.assert_allclose(position, [[1, -1, 1 / 11], [0, 0, 0]], atol=1e-6)


def test_places_are_two_pixels_inside_of_masks():
  noise = jax.random.normal(jax.random.key(0), (40, 11, 11, 1))
  masks = jnp.repeat(box(2, 9, 1, 10), 40, axis=0)
  columns, rows = np.round((np.asarray(place_inside(masks, noise)).T + 1) * 5).astype(int)
  assert set(rows) <= {4, 5, 6} and set(columns) <= set(range(3, 8))
  assert len(set(columns)) > 2
  thin = jnp.concatenate([box(4, 6, 2, 5)] * 2)
  expected = mask_position(thin)[:, :2]
  np.testing.assert_allclose(place_inside(thin, noise[:2]), expected, atol=1e-6)


def test_slots_of_greater_priority_take_the_place_of_others():
  maps = jnp.ones((1, 2, 3, 4, 1))
  found = prioritize(maps, jnp.array([[-1.0, 1.0]]), jnp.zeros((1, 2)))
  np.testing.assert_allclose(found[0, :, 0, 0, 0], [0, 1], atol=1e-6)
  tie = prioritize(maps, jnp.zeros((1, 2)), jnp.array([[9.0, -9.0]]))
  np.testing.assert_allclose(tie[0, :, 0, 0, 0], [1, 0], atol=1e-6)
