"""Losses of one object's mask by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.losses.segmentation import balancing_weight, cross_entropy, overlap_loss


def test_cross_entropy_weighs_the_object_and_takes_fractions():
  logits, mask = jnp.asarray([0.0, 2.0, -1.0]), jnp.asarray([1.0, 0.25, 0.0])
  p = 1 / (1 + np.exp(-np.array([0.0, 2.0, -1.0])))
  y = np.array([1.0, 0.25, 0.0])
  expected = -(3 * y * np.log(p) + (1 - y) * np.log(1 - p))
  np.testing.assert_allclose(cross_entropy(logits, mask, 3.0), expected, rtol=1e-6)


def test_cross_entropy_is_finite_where_logits_are_huge():
  found = cross_entropy(jnp.asarray([1e4, -1e4]), jnp.asarray([0.0, 1.0]))
  np.testing.assert_allclose(found, [1e4, 1e4], rtol=1e-6)


@pytest.mark.parametrize(
  ("mask", "weight"), [([1, 0.01, 0, 0, 0, 0], 2.0), ([1, 1, 1], 0.0), ([0, 0, 0], 1.0)]
)
def test_the_weight_counts_pixels_that_are_not_zero(mask, weight):
  assert float(balancing_weight(jnp.asarray(mask, jnp.float32))) == weight


def test_a_perfect_match_scores_a_half():
  mask = jnp.ones((2, 3, 3, 1))
  np.testing.assert_allclose(overlap_loss(mask, mask), [0.5, 0.5], atol=1e-5)
  np.testing.assert_allclose(overlap_loss(mask, 0 * mask), [1.0, 1.0], atol=1e-4)
