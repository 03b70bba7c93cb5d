"""Frechet distance against closed forms and scipy, and statistics that are put together."""

import numpy as np
import pytest
import scipy.linalg

from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.frechet import (
  FeatureStatistics,
  feature_statistics,
  frechet_distance,
  merge,
)

RNG = np.random.default_rng(0)


def draws(count, size, offset=0.0):
  """Correlated features [count, size]."""
  return RNG.standard_normal((count, size)) @ RNG.standard_normal((size, size)) + offset


def compare(first, second):
  return frechet_distance(feature_statistics(first), feature_statistics(second))


def by_definition(first, second):
  """As published, through the root of the product of the covariances."""
  means = [features.mean(0) for features in (first, second)]
  covariances = [np.cov(features, rowvar=False) for features in (first, second)]
  root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
  return np.sum((means[0] - means[1]) ** 2) + np.trace(sum(covariances) - 2 * root.real)


def from_rows(first, second):
  """From the rows alone, so that covariances may be singular."""
  scaled = [(rows - rows.mean(0)) / np.sqrt(len(rows) - 1) for rows in (first, second)]
  overlap = scipy.linalg.svdvals(scaled[0] @ scaled[1].T).sum()
  spread = sum(np.square(rows).sum() for rows in scaled)
  return np.sum((first.mean(0) - second.mean(0)) ** 2) + spread - 2 * overlap


# The distance


def test_the_distance_is_the_published_one():
  first, second = draws(40, 7), draws(31, 7, offset=0.5)
  found = compare(first, second)
  np.testing.assert_allclose(found.distance, by_definition(first, second), rtol=1e-11)
  assert found.ranks == (7, 7)


def test_independent_features_have_a_closed_form():
  """Of deviations s the squared differences, besides those of the means; one does not vary."""
  means = np.array([[0.0, 1.0, 2.0], [4.0, 1.0, 0.5]])
  deviations = np.array([[2.0, 0.5, 3.0], [1.0, 1.5, 0.0]])
  statistics = [
    FeatureStatistics(count, mean, (count - 1) * np.diag(deviation**2))
    for count, mean, deviation in zip((5, 9), means, deviations, strict=True)
  ]
  found = frechet_distance(*statistics)
  expected = np.sum((means[0] - means[1]) ** 2) + np.sum((deviations[0] - deviations[1]) ** 2)
  np.testing.assert_allclose(found.distance, expected, rtol=1e-14)
  assert found.ranks == (3, 2)


@pytest.mark.parametrize("counts", [(5, 60), (60, 5), (4, 6), (2, 2)])
def test_fewer_rows_than_features(counts):
  first, second = draws(counts[0], 11), draws(counts[1], 11, offset=0.5)
  found = compare(first, second)
  np.testing.assert_allclose(found.distance, from_rows(first, second), rtol=1e-12)
  assert found.ranks == tuple(min(count - 1, 11) for count in counts)


def test_features_that_never_vary():
  first, second = np.full((5, 3), 2.0), np.full((4, 3), 1.5)
  found = compare(first, second)
  np.testing.assert_allclose(found.distance, 3 * 0.25)
  assert found.ranks == (0, 0)
  rows = draws(20, 3)
  np.testing.assert_allclose(compare(first, rows).distance, from_rows(first, rows), rtol=1e-12)


def test_the_distance_is_one_of_distributions():
  first, second = draws(30, 6), draws(50, 6)
  there, back = compare(first, second), compare(second, first)
  np.testing.assert_allclose(there.distance, back.distance, rtol=1e-12)
  assert there.ranks == back.ranks[::-1]
  assert 0 <= compare(first, RNG.permutation(first)).distance < 1e-12
  rotation = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
  turned = compare(first @ rotation + 3, second @ rotation + 3)
  np.testing.assert_allclose(turned.distance, there.distance, rtol=1e-11)


def test_what_cannot_be_compared():
  with pytest.raises(InputError, match="a covariance of 1 features: at least 2 are needed"):
    compare(draws(1, 3), draws(5, 3))
  with pytest.raises(InputError, match="features are not finite"):
    compare(np.full((4, 3), np.nan), draws(5, 3))
  with pytest.raises(ValueError, match=r"features of size \(3,\) against \(4,\)"):
    compare(draws(5, 3), draws(5, 4))
  with pytest.raises(ValueError, match="rows"):
    feature_statistics(np.zeros(3))


# Statistics


def assert_statistics(found, features):
  assert found.count == len(features)
  np.testing.assert_allclose(found.mean, features.mean(0), rtol=1e-13)
  expected = np.cov(features, rowvar=False)
  np.testing.assert_allclose(found.covariance, expected, rtol=0, atol=1e-13 * expected.max())


@pytest.mark.parametrize("cuts", [(), (1,), (20,), (3, 3, 17), tuple(range(1, 37))])
def test_parts_make_the_whole(cuts):
  """Of any sizes, none and one included; in order, and as two halves of the parts."""
  features = draws(37, 5, offset=2.0)
  parts = [feature_statistics(part) for part in np.split(features, cuts)]
  total = parts[0]
  for part in parts[1:]:
    total = merge(total, part)
  assert_statistics(total, features)
  backwards = parts[-1]
  for part in parts[-2::-1]:
    backwards = merge(part, backwards)
  assert_statistics(backwards, features)


def test_nothing_adds_nothing():
  nothing = feature_statistics(np.zeros((0, 5)))
  assert nothing.count == 0 and merge(nothing, nothing).count == 0
  features = draws(4, 5)
  assert_statistics(merge(nothing, feature_statistics(features)), features)


def test_small_differences_of_large_float32_features():
  """The difference of sums of squares would leave nothing of them, in float64 either."""
  features = (1e4 + np.float32(2**-10) * RNG.integers(0, 2, (64, 3))).astype(np.float32)
  total = feature_statistics(features[:10])
  for start in range(10, 64, 9):
    total = merge(total, feature_statistics(features[start : start + 9]))
  shares = (features.astype(np.float64) - 1e4) * 2**10  # exact
  assert set(np.unique(shares)) == {0, 1}
  np.testing.assert_allclose(total.covariance * 4**10, np.cov(shares, rowvar=False), atol=1e-8)
