"""Assignments against scipy, choices between equal costs included."""

import jax
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from objectcentric_jax.losses.assignment import assign


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


@pytest.mark.parametrize("steps", [2**24, 4, 1], ids=["distinct", "many equal", "all or nothing"])
def test_takes_what_scipy_takes(steps):
  rng = np.random.default_rng(steps)
  costs = np.round(rng.uniform(size=(200, 5, 6)) * steps) / steps
  costs[::3, 2] = 1.0  # as of an object that no mask meets
  costs[::6, 4] = 1.0
  costs = costs.astype(np.float32)
  found = np.asarray(jax.jit(assign)(costs))
  for cost, columns in zip(costs, found, strict=True):
    np.testing.assert_array_equal(columns, linear_sum_assignment(cost)[1])


def test_any_number_of_tables():
  costs = np.random.default_rng(0).uniform(size=(2, 3, 4, 4)).astype(np.float32)
  found = np.asarray(assign(costs))
  assert found.shape == (2, 3, 4)
  np.testing.assert_array_equal(found[1, 2], assign(costs[1, 2]))
  assert (np.sort(found, axis=-1) == np.arange(4)).all()


def test_fewer_columns_than_rows():
  with pytest.raises(ValueError, match="3 rows cannot each take one of 2 columns"):
    assign(np.zeros((3, 2)))
