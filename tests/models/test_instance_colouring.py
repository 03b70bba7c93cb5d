"""Instance colouring against loops over pixels in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.models.genesis_v2 import (
  KERNELS,
  NO_SLOT,
  instance_colouring,
  kernel_start,
)

HEIGHT, WIDTH = 4, 6


def directly(embedding, field, log_width, kernel, slots, smallest=0.0):
  """Log masks [K, H, W], log scopes [K, H, W], seeds and number of slots of one image."""
  height, width, _ = embedding.shape
  scale = math.exp(log_width)
  log_scope = np.zeros((height, width))
  masks, scopes, seeds = [], [], []
  for _ in range(slots - 1):
    best, seed = -1.0, None
    for row in range(height):
      for column in range(width):
        score = field[row, column, 0] * math.exp(log_scope[row, column])
        if score > best:  # the first of equals stays
          best, seed = score, embedding[row, column]
    share = np.zeros((height, width))
    for row in range(height):
      for column in range(width):
        squared = sum((a - b) ** 2 for a, b in zip(embedding[row, column], seed, strict=True))
        share[row, column] = {
          "gaussian": math.exp(-squared / scale),
          "laplacian": math.exp(-math.sqrt(max(squared, 1e-10)) / scale),
          "epanechnikov": max(0.0, 1 - squared / scale),
        }[kernel]
    share = share.clip(0.01, 0.99)
    log_mask = log_scope + np.log(share)
    scopes.append(log_scope)
    seeds.append(seed)
    if smallest and np.exp(log_mask).sum() < smallest:
      return masks + [log_scope], scopes, seeds
    masks.append(log_mask)
    log_scope = log_scope + np.log(1 - share)
  return masks + [log_scope], scopes + [log_scope], seeds


def scene(batch=3, seed=0):
  rng = np.random.default_rng(seed)
  embedding = rng.standard_normal((batch, HEIGHT, WIDTH, 8)) * 0.5
  return embedding.astype(np.float32), rng.uniform(size=(batch, HEIGHT, WIDTH, 1)).astype("float32")


@pytest.mark.parametrize("unroll", [1, 4])
@pytest.mark.parametrize("kernel", KERNELS)
def test_equals_loops_over_pixels(kernel, unroll):
  embedding, field = scene()
  found = instance_colouring(embedding, field, jnp.asarray(0.9), kernel, 5, unroll=unroll)
  assert found.log_masks.shape == found.log_scope.shape == (3, 5, HEIGHT, WIDTH, 1)
  assert bool(found.found.all())
  for i in range(3):
    masks, scopes, seeds = directly(embedding[i], field[i], 0.9, kernel, 5)
    np.testing.assert_allclose(found.log_masks[i, ..., 0], masks, atol=2e-5)
    np.testing.assert_allclose(found.log_scope[i, ..., 0], scopes, atol=2e-5)
    np.testing.assert_array_equal(found.seeds[i], seeds)
  np.testing.assert_allclose(jnp.exp(found.log_masks).sum(1), 1, atol=1e-5)


def test_the_first_of_equal_pixels_is_the_seed():
  embedding, field = scene()
  field[:] = 0.5
  field[1, 2, 3] = field[1, 3, 0] = 0.75
  found = instance_colouring(embedding, field, jnp.asarray(0.0), "gaussian", 3)
  np.testing.assert_array_equal(found.seeds[0, 0], embedding[0, 0, 0])
  np.testing.assert_array_equal(found.seeds[1, 0], embedding[1, 2, 3])


def test_two_slots_and_one():
  embedding, field = scene()
  two = instance_colouring(embedding, field, jnp.asarray(0.0), "gaussian", 2)
  assert two.log_masks.shape[1] == 2 and two.seeds.shape == (3, 1, 8)
  one = instance_colouring(embedding, field, jnp.asarray(0.0), "gaussian", 1)
  np.testing.assert_array_equal(one.log_masks, np.zeros((3, 1, HEIGHT, WIDTH, 1)))
  assert one.seeds.shape == (3, 0, 8) and bool(one.found.all())


@pytest.mark.parametrize("smallest", [2.0, 3.0, 100.0])
def test_dynamic_slots_stop_each_image_by_itself(smallest):
  embedding, field = scene(6)
  embedding[3] *= 0.1  # one group takes all
  found = instance_colouring(embedding, field, jnp.asarray(1.5), "epanechnikov", 7, smallest)
  counts = []
  for i in range(6):
    masks, scopes, seeds = directly(embedding[i], field[i], 1.5, "epanechnikov", 7, smallest)
    count = len(masks)
    counts.append(count)
    np.testing.assert_array_equal(found.found[i], np.arange(7) < count)
    np.testing.assert_allclose(found.log_masks[i, :count, ..., 0], masks, atol=2e-5)
    np.testing.assert_array_equal(found.log_masks[i, count:], NO_SLOT)
    np.testing.assert_allclose(found.log_scope[i, :count, ..., 0], scopes[:count], atol=2e-5)
    np.testing.assert_array_equal(found.seeds[i, : len(seeds)], seeds)
  np.testing.assert_allclose(jnp.exp(found.log_masks).sum(1), 1, atol=1e-5)
  assert counts == [1] * 6 if smallest == 100.0 else len(set(counts)) > 1


def test_gradients_flow_through_the_seed_and_not_through_its_choice():
  embedding, field = (jnp.asarray(part[:1]) for part in scene())

  def last_mask(embedding, field):
    grouping = instance_colouring(embedding, field, jnp.asarray(0.9), "gaussian", 2)
    return grouping.log_masks[0, 0].sum()

  index = np.unravel_index(int(field.argmax()), (HEIGHT, WIDTH))
  by_embedding, by_field = jax.grad(last_mask, (0, 1))(embedding, field)
  np.testing.assert_array_equal(by_field, 0)
  # -|c - s|^2 / w: the seed takes the opposite of what all other pixels take together.
  np.testing.assert_allclose(by_embedding.sum((0, 1, 2)), 0, atol=1e-4)
  seed = embedding[:, index[0], index[1]][:, None, None]
  others = -2 * (embedding - seed) / math.exp(0.9)
  away = np.ones((HEIGHT, WIDTH), bool)
  away[index] = False
  np.testing.assert_allclose(by_embedding[0][away], others[0][away], atol=1e-5)
  assert np.abs(by_embedding[0][index]).max() > 0.1


@pytest.mark.parametrize(
  "kernel, width",
  [
    ("gaussian", 1 / (5 * math.log(2))),
    ("laplacian", 1 / (math.sqrt(5) * math.log(2))),
    ("epanechnikov", 2 / 5),
  ],
)
def test_kernels_start_as_wide_as_published(kernel, width):
  assert kernel_start(kernel, 5) == pytest.approx(math.log(width))
