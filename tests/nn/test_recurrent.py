"""LSTM and GRU against their equations, step by step in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.recurrent import LSTM, GRUCell

FEATURES, LENGTH = 6, 5


@pytest.fixture(scope="module")
def sequence():
  return np.random.default_rng(0).standard_normal((3, LENGTH, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def params(sequence):
  return LSTM(FEATURES).init(jax.random.key(0), sequence)["params"]


def reference(params, sequence):
  """PyTorch's LSTM: gates in the order input, forget, cell, output; two biases, added."""
  p = {name: np.asarray(value, np.float64) for name, value in params.items()}
  sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
  hidden = cell = np.zeros((len(sequence), FEATURES))
  outputs = []
  for step in range(sequence.shape[1]):
    gates = sequence[:, step] @ p["input_kernel"] + p["input_bias"]
    gates = gates + hidden @ p["hidden_kernel"] + p["hidden_bias"]
    i, f, g, o = (gates[:, k * FEATURES : (k + 1) * FEATURES] for k in range(4))
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(cell)
    outputs.append(hidden)
  return np.stack(outputs, axis=1), (hidden, cell)


def test_equals_its_equations(sequence, params):
  found, (hidden, cell) = LSTM(FEATURES).apply({"params": params}, sequence)
  expected, (expected_hidden, expected_cell) = reference(params, sequence.astype(np.float64))
  assert found.shape == (3, LENGTH, FEATURES)
  np.testing.assert_allclose(found, expected, atol=1e-6)
  np.testing.assert_allclose(hidden, expected_hidden, atol=1e-6)
  np.testing.assert_allclose(cell, expected_cell, atol=1e-6)


def test_a_sequence_can_be_continued(sequence, params):
  whole, last = LSTM(FEATURES).apply({"params": params}, sequence)
  first, state = LSTM(FEATURES).apply({"params": params}, sequence[:, :2])
  second, end = LSTM(FEATURES).apply({"params": params}, sequence[:, 2:], state)
  np.testing.assert_array_equal(whole, np.concatenate([first, second], axis=1))
  np.testing.assert_array_equal(last, end)


@pytest.mark.parametrize("unroll", [2, LENGTH])
def test_unrolling_changes_no_bit(sequence, params, unroll):
  rolled, _ = jax.jit(LSTM(FEATURES).apply)({"params": params}, sequence)
  unrolled, _ = jax.jit(LSTM(FEATURES, unroll=unroll).apply)({"params": params}, sequence)
  np.testing.assert_array_equal(rolled, unrolled)


def test_initial_weights_are_bounded_by_the_hidden_size(params):
  bound = FEATURES**-0.5
  assert {name: value.shape for name, value in params.items()} == {
    "input_kernel": (4, 4 * FEATURES),
    "hidden_kernel": (FEATURES, 4 * FEATURES),
    "input_bias": (4 * FEATURES,),
    "hidden_bias": (4 * FEATURES,),
  }
  for name, value in params.items():
    assert 0.8 * bound < float(jnp.abs(value).max()) <= bound, name


def test_computes_in_bfloat16_when_asked(sequence, params):
  exact, _ = LSTM(FEATURES).apply({"params": params}, sequence)
  found, (hidden, cell) = LSTM(FEATURES, dtype=jnp.bfloat16).apply({"params": params}, sequence)
  assert found.dtype == hidden.dtype == cell.dtype == jnp.bfloat16
  np.testing.assert_allclose(np.asarray(found, np.float32), exact, atol=0.02)


def test_gru_equals_its_equations():
  """PyTorch's GRU: gates in the order reset, update, new; the reset gate is inside the last."""
  rng = np.random.default_rng(1)
  x, hidden = rng.standard_normal((3, 4)), rng.standard_normal((3, FEATURES))
  params = GRUCell(FEATURES).init(jax.random.key(0), x, hidden)["params"]
  p = {name: np.asarray(value, np.float64) for name, value in params.items()}
  sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
  given = np.split(x @ p["input_kernel"] + p["input_bias"], 3, axis=1)
  kept = np.split(hidden @ p["hidden_kernel"] + p["hidden_bias"], 3, axis=1)
  reset, update = (sigmoid(given[k] + kept[k]) for k in range(2))
  expected = (1 - update) * np.tanh(given[2] + reset * kept[2]) + update * hidden
  found = GRUCell(FEATURES).apply({"params": params}, np.float32(x), np.float32(hidden))
  np.testing.assert_allclose(found, expected, atol=1e-6)
