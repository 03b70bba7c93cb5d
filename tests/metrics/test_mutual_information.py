"""Adjusted mutual information against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix as table_of

from objectcentric_jax.metrics.mutual_information import adjusted_mutual_information


def both(a, b):
  table = np.asarray(table_of(a, b))
  return adjusted_mutual_information(table), adjusted_mutual_info_score(a, b)


@pytest.mark.parametrize("count", [2, 7])
def test_random_and_correlated_labellings(count):
  rng = np.random.default_rng(count)
  for share in (0.0, 0.3, 0.9):
    a = rng.integers(0, count, 500)
    b = np.where(rng.uniform(size=500) < share, a, rng.integers(0, count + 2, 500))
    found, expected = both(a, b)
    assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
  ("a", "b"),
  [
    ([0, 0, 0], [1, 1, 1]),  # one cluster each
    ([0, 0, 1], [0, 0, 0]),
    ([0, 1, 2], [0, 1, 2]),  # only single pixels
    ([0, 1, 2], [0, 0, 0]),
    ([0, 0, 1, 1], [1, 1, 0, 0]),  # equal but for names
    ([], []),
  ],
)
def test_degenerate_labellings(a, b):
  found, expected = both(a, b)
  assert found == pytest.approx(expected, abs=1e-10)


def test_empty_clusters_do_not_count():
  table = np.array([[30, 5], [4, 21]])
  wider = np.zeros((4, 3))
  wider[:2, 1:] = table
  assert adjusted_mutual_information(wider) == adjusted_mutual_information(table)
