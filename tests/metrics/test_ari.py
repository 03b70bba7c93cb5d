"""Adjusted Rand index in float32 against scikit-learn and exact integer arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from objectcentric_jax.metrics.ari import adjusted_rand_index
from objectcentric_jax.metrics.contingency import contingency

ERROR = 2e-6  # twice what was seen; the order of sums depends on the processor


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


def score(a, b):
  """The index of two flat labellings with labels 0, 1, ..."""
  table = contingency(a[None], b[None], int(a.max()) + 1, int(b.max()) + 1)
  return float(jax.jit(adjusted_rand_index)(table)[0])


def exact(table):
  """The index of one table in Python's whole numbers of any size."""
  rows = [[int(n) for n in row] for row in table]

  def pairs(sizes):
    return sum(n * (n - 1) for n in sizes)

  total = sum(map(sum, rows))
  a, b = pairs(map(sum, rows)), pairs(map(sum, zip(*rows, strict=True)))
  both = pairs(n for row in rows for n in row)
  every = total * (total - 1)
  most = every * (a + b) - 2 * a * b
  return 2 * (every * both - a * b) / most if most else 1.0


def disc(size, centre, radius):
  y, x = np.mgrid[:size, :size]
  return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def adversarial_pairs():
  rng = np.random.default_rng(0)
  size = 256
  blank = np.zeros((size, size), int)
  one_pixel, other_pixel = blank.copy(), blank.copy()
  one_pixel[3, 5], other_pixel[200, 9] = 1, 1
  tiny, tiny_moved = blank.copy(), blank.copy()
  tiny[disc(size, (40, 40), 2.5)] = 1
  tiny_moved[disc(size, (40, 41), 2.5)] = 1
  discs = blank.copy()
  for label in range(1, 11):
    discs[disc(size, rng.uniform(30, 226, 2), rng.uniform(3, 40))] = label
  nearly_discs = discs.copy()
  nearly_discs[0, 0] = 3
  halves = blank.copy()
  halves[:, size // 2 :] = 1
  tiles = np.add.outer(np.arange(64) // 4 * 16, np.arange(64) // 4)  # 256 clusters of 16 pixels
  tiles_moved = np.add.outer((np.arange(64) + 1) % 64 // 4 * 16, np.arange(64) // 4)
  swapped = tiles.copy()
  swapped[0, 0], swapped[-1, -1] = tiles[-1, -1], tiles[0, 0]
  return {
    "a pixel each, elsewhere": (one_pixel, other_pixel),
    "the same pixel": (one_pixel, one_pixel),
    "tiny object, moved": (tiny, tiny_moved),
    "tiny object against halves": (tiny, halves),
    "discs but for one pixel": (discs, nearly_discs),
    "discs against halves": (discs, halves),
    "discs against noise": (discs, rng.integers(0, 16, (size, size))),
    "noise against noise": (rng.integers(0, 7, (size, size)), rng.integers(0, 11, (size, size))),
    "many clusters, moved": (tiles, tiles_moved),
    "many clusters, two pixels swapped": (tiles, swapped),
    "many clusters against noise": (tiles, rng.integers(0, 256, (64, 64))),
    "many clusters against two": (tiles, tiles % 2),
  }


@pytest.mark.parametrize("name", adversarial_pairs())
def test_equals_scikit_learn(name):
  a, b = adversarial_pairs()[name]
  assert abs(score(a, b) - adjusted_rand_score(a.ravel(), b.ravel())) < ERROR
  assert abs(score(b, a) - adjusted_rand_score(a.ravel(), b.ravel())) < ERROR


def test_equals_exact_arithmetic_on_random_tables():
  rng = np.random.default_rng(1)
  tables = []
  for _ in range(100):
    scale = 10 ** rng.uniform(0, 4.2)
    tables += [
      rng.gamma(0.05, scale, (9, 12)),  # mostly empty cells beside a few large ones
      rng.gamma(5, scale, (9, 12)),  # unrelated labellings
      np.pad(np.diag(rng.uniform(0, 100 * scale, 9)), ((0, 0), (0, 3)))
      + rng.integers(0, 2, (9, 12)),
      np.pad([[rng.uniform(1, 1.6e7)]], ((0, 8), (0, 11))) + rng.integers(0, 3, (9, 12)),
    ]
  tables = np.floor(tables)
  assert 2**23 < tables.sum((1, 2)).max() < 2**24
  found = np.asarray(jax.jit(adjusted_rand_index)(jnp.asarray(tables, jnp.float32)))
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, [exact(table) for table in tables], rtol=0, atol=ERROR)


@pytest.mark.parametrize(
  ("table", "expected"),
  [
    (np.zeros((2, 3)), 1),  # no pixels
    ([[1, 0]], 1),  # one pixel
    ([[0, 0], [0, 70000]], 1),  # both one cluster
    ([[30000], [40000]], 0),  # one cluster on one side
    ([[30000, 1, 0]], 0),
    (np.eye(50), 1),  # only single pixels on both sides
    (np.ones((50, 1)), 0),  # on one side, one cluster on the other
    ([[0, 2], [2, 0]], 1),  # names of clusters do not matter
    ([[1, 1], [1, 1]], -0.5),  # the least there is
  ],
)
def test_known_answers(table, expected):
  found = adjusted_rand_index(jnp.asarray(table, jnp.float32)[None])
  np.testing.assert_allclose(found, [expected], atol=ERROR)


def test_contingency_counts_pairs_of_labels():
  rng = np.random.default_rng(2)
  a, b = rng.integers(0, 3, (2, 5, 7, 11, 1)), rng.integers(0, 4, (2, 5, 7, 11, 1))
  keep = rng.integers(0, 2, a.shape).astype(bool)
  expected = np.zeros((2, 3, 4))
  np.add.at(expected, (np.arange(2)[:, None].repeat(a[0].size, 1).ravel(), a.ravel(), b.ravel()), 1)
  found = contingency(jnp.asarray(a), jnp.asarray(b), 3, 4)
  assert found.dtype == jnp.float32
  np.testing.assert_array_equal(found, expected)
  kept = contingency(jnp.asarray(a), jnp.asarray(b), 3, 4, weights=jnp.asarray(keep))
  rest = contingency(jnp.asarray(a), jnp.asarray(b), 3, 4, weights=jnp.asarray(~keep))
  np.testing.assert_array_equal(kept.sum((1, 2)), keep.sum((1, 2, 3, 4)))
  np.testing.assert_array_equal(kept + rest, expected)


def test_contingency_is_exact_where_bfloat16_and_half_are_not():
  a = jnp.zeros((1, 2049, 1025, 1), jnp.int32)
  np.testing.assert_array_equal(contingency(a, a, 1, 1), [[[2049 * 1025]]])


def test_contingency_refuses_other_shapes():
  with pytest.raises(ValueError, match="not of the same pixels"):
    contingency(jnp.zeros((1, 4, 6, 1), int), jnp.zeros((1, 6, 4, 1), int), 1, 1)
