"""The cell with eligibility traces against the recurrence that it stands for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.models.loci.gate_lord import GateLordCell, StateWeights, Traces, move_state
from objectcentric_jax.models.loci.update_gate import sparse_gate

SLOTS, INPUTS, FEATURES = 3, 4, 5


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


def random(*shape, seed=0):
  return jnp.asarray(np.random.default_rng([seed, *shape]).normal(size=shape), jnp.float32)


def weights(recurrent=1.0):
  kernels = [random(INPUTS, FEATURES), recurrent * random(FEATURES, FEATURES), random(FEATURES)]
  others = [random(*k.shape, seed=1) for k in kernels]
  others[1] = recurrent * others[1]
  return StateWeights(*kernels, *others)


def plain(x, state, weights):
  """One step of the recurrence, without a gradient of its own."""
  row = lambda bias: bias.reshape(1, -1)  # noqa: E731
  gate = jax.nn.relu(
    jnp.tanh(x @ weights.gate_input + state @ weights.gate_state + row(weights.gate_bias))
  )
  candidate = jnp.tanh(
    x @ weights.candidate_input + state @ weights.candidate_state + row(weights.candidate_bias)
  )
  return gate * candidate + (1 - gate) * state


def zeros():
  return Traces.zeros((SLOTS,), INPUTS, FEATURES)


def assert_equal(found, expected):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), found, expected)


def test_one_step_from_nothing_is_differentiated_as_usual():
  x, state, ahead = random(SLOTS, INPUTS), random(SLOTS, FEATURES), random(SLOTS, FEATURES, seed=2)
  ours = lambda x, s, w: (move_state(x, s, w, zeros(), 0.0)[0] * ahead).sum()  # noqa: E731
  usual = lambda x, s, w: (plain(x, s, w) * ahead).sum()  # noqa: E731
  arguments = (x, state, weights())
  assert_equal(
    jax.jit(jax.grad(ours, (0, 1, 2)))(*arguments), jax.jit(jax.grad(usual, (0, 1, 2)))(*arguments)
  )


def test_traces_reach_behind_a_truncation():
  """Where units do not see each other's past, traces make up for the whole of it."""
  frames = random(4, SLOTS, INPUTS)
  start, ahead = jnp.zeros((SLOTS, FEATURES)), random(SLOTS, FEATURES, seed=2)

  def truncated(weights):
    state, traces = start, zeros()
    for x in frames:
      state, traces, _ = move_state(x, jax.lax.stop_gradient(state), weights, traces, 0.0)
    return (state * ahead).sum()

  def unrolled(weights):
    state = start
    for x in frames:
      state = plain(x, state, weights)
    return (state * ahead).sum()

  apart = weights(recurrent=0.0)
  found, expected = jax.jit(jax.grad(truncated))(apart), jax.jit(jax.grad(unrolled))(apart)
  assert_equal(found.gate_input, expected.gate_input)
  assert_equal(found.candidate_bias, expected.candidate_bias)
  last_only = jax.grad(lambda w: (plain(frames[-1], start, w) * ahead).sum())(apart)
  assert np.abs(np.asarray(found.gate_input - last_only.gate_input)).max() > 0.1


def test_open_gates_cost_whatever_the_loss():
  x, state = random(SLOTS, INPUTS), random(SLOTS, FEATURES)
  quiet = lambda w, cost: 0.0 * move_state(x, state, w, zeros(), cost)[0].sum()  # noqa: E731
  free = jax.grad(quiet)(weights(), 0.0)
  assert all(not leaf.any() for leaf in jax.tree.leaves(free))
  found = jax.grad(quiet)(weights(), 0.1)
  is_open = move_state(x, state, weights(), zeros(), 0.1)[2]
  gate = is_open * jnp.tanh(
    x @ weights().gate_input + state @ weights().gate_state + weights().gate_bias.reshape(1, -1)
  )
  assert_equal(found.gate_bias, (0.1 * is_open * (1 - gate**2)).sum(0))
  assert not found.candidate_input.any()


def test_sparse_gates():
  x = jnp.asarray([-1.0, 0.5, 2.0])
  np.testing.assert_allclose(sparse_gate(x, 0.1), np.maximum(np.tanh(x), 0), rtol=1e-6)
  found = jax.grad(lambda x: 3.0 * sparse_gate(x, 0.1).sum())(x)
  slope = 1 - np.tanh(np.asarray(x)) ** 2
  np.testing.assert_allclose(found, [0, 3.1 * slope[1], 3.1 * slope[2]], rtol=1e-5)


def test_cell():
  cell, x, state = GateLordCell(FEATURES, 0.0), random(2, SLOTS, INPUTS), random(2, SLOTS, FEATURES)
  traces = Traces.zeros((2, SLOTS), INPUTS, FEATURES)
  (output, after, moved, share), variables = cell.init_with_output(
    jax.random.key(0), x, state, traces
  )
  assert output.shape == after.shape == (2, SLOTS, FEATURES) and share.shape == ()
  assert moved.gate_state.shape == (2, SLOTS, FEATURES, FEATURES)
  assert np.abs(output).max() < 1 and 0 < share < 1
  assert len(jax.tree.leaves(variables)) == 12
