"""GateL0RD cell (Gumbsch, Butz and Martius, NeurIPS 2021) trained by eligibility propagation.

The cell keeps its state but where a gate opens; opening costs. Its gradient is not that of the
unrolled recurrence alone: the cell carries, for every weight, the trace of how it moved the state
so far (Bellec et al., 2020), so that weights learn from steps before a truncation. Within a
truncated chunk the state carries gradients as well, which counts those steps twice; published
weights were trained that way.

Published code: nn/eprop_gate_l0rd.py of CognitiveModeling/Loci-Segmented.
"""

from functools import partial

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from objectcentric_jax.nn.activations import tanh

Array = jax.Array


@flax.struct.dataclass
class Traces:
  """How each weight of a cell moved its state so far, of every slot: all zero in a new sequence.

  Attributes:
    gate_input, candidate_input: [..., I, H] of the kernels that take the input.
    gate_state, candidate_state: [..., H, H] of the kernels that take the state.
    gate_bias, candidate_bias: [..., H].
  """

  gate_input: Array
  gate_state: Array
  gate_bias: Array
  candidate_input: Array
  candidate_state: Array
  candidate_bias: Array

  @classmethod
  def zeros(cls, batch: tuple[int, ...], inputs: int, features: int, dtype=jnp.float32) -> "Traces":
    """Those of a new sequence."""
    of_input = jnp.zeros((*batch, inputs, features), dtype)
    of_state = jnp.zeros((*batch, features, features), dtype)
    of_bias = jnp.zeros((*batch, features), dtype)
    return cls(of_input, of_state, of_bias, of_input, of_state, of_bias)


@flax.struct.dataclass
class StateWeights:
  """The weights that move the state: kernels [I, H] and [H, H], biases [H]."""

  gate_input: Array
  gate_state: Array
  gate_bias: Array
  candidate_input: Array
  candidate_state: Array
  candidate_bias: Array


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def move_state(
  x: Array, state: Array, weights: StateWeights, traces: Traces, opening_cost: float
) -> tuple[Array, Traces, Array]:
  """The next state, the traces after it, and which gates were open.

  Args:
    x: [..., I] input.
    state: [..., H].
    weights: of the gate and of the candidate state.
    traces: before the step.
    opening_cost: added to the gradient of every open gate, whatever the loss.

  Returns:
    state [..., H], traces, and [..., H] bool-like zeros and ones, which carry no gradient.
  """
  return _move_state(x, state, weights, traces, opening_cost)[0]


def _affine(x: Array, state: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
  return x @ kernel + state @ recurrent + bias.reshape((1,) * (x.ndim - 1) + (-1,))


def _outer(rows: Array, columns: Array) -> Array:
  return rows[..., :, None] * columns[..., None, :]


def _move_state(x, state, weights, traces, opening_cost):
  del opening_cost
  to_gate = _affine(x, state, weights.gate_input, weights.gate_state, weights.gate_bias)
  gate = nn.relu(tanh(to_gate))
  candidate = tanh(
    _affine(x, state, weights.candidate_input, weights.candidate_state, weights.candidate_bias)
  )
  is_open = (gate > 0).astype(gate.dtype)
  gate_slope = (1 - gate**2) * is_open
  candidate_slope = 1 - candidate**2
  distance = candidate - state
  kept = 1 - gate
  by_gate, by_candidate = gate_slope * distance, candidate_slope * gate
  traces = Traces(
    gate_input=traces.gate_input * kept[..., None, :] + _outer(x, by_gate),
    gate_state=traces.gate_state * kept[..., None, :] + _outer(state, by_gate),
    gate_bias=traces.gate_bias * kept + by_gate,
    candidate_input=traces.candidate_input * kept[..., None, :] + _outer(x, by_candidate),
    candidate_state=traces.candidate_state * kept[..., None, :] + _outer(state, by_candidate),
    candidate_bias=traces.candidate_bias * kept + by_candidate,
  )
  residuals = (x, state, weights, traces, gate, is_open, gate_slope, candidate_slope, distance)
  return (gate * candidate + kept * state, traces, is_open), residuals


def _move_state_backward(opening_cost, residuals, cotangents):
  x, state, weights, traces, gate, is_open, gate_slope, candidate_slope, distance = residuals
  ahead = cotangents[0]  # of the new state; those of traces and openings are dropped
  cost = opening_cost * is_open
  leading = "".join(chr(ord("a") + i) for i in range(ahead.ndim - 1))

  def along(trace):  # what the loss asks of the state, through the trace, summed over the slots
    return jnp.einsum(f"{leading}z,{leading}yz->yz", ahead, trace)

  def summed(values, opening):
    return jnp.einsum(f"{leading}y,{leading}z->yz", values, opening)

  axes = tuple(range(ahead.ndim - 1))
  opening = cost * gate_slope
  gradient = StateWeights(
    gate_input=along(traces.gate_input) + summed(x, opening),
    gate_state=along(traces.gate_state) + summed(state, opening),
    gate_bias=(ahead * traces.gate_bias + opening).sum(axes),
    candidate_input=along(traces.candidate_input),
    candidate_state=along(traces.candidate_state),
    candidate_bias=(ahead * traces.candidate_bias).sum(axes),
  )
  to_gate = (ahead * distance + cost) * gate_slope
  to_candidate = ahead * gate * candidate_slope
  to_x = to_gate @ weights.gate_input.T + to_candidate @ weights.candidate_input.T
  to_state = ahead * (1 - gate)
  to_state += to_gate @ weights.gate_state.T + to_candidate @ weights.candidate_state.T
  return to_x, to_state, gradient, jax.tree.map(jnp.zeros_like, traces)


move_state.defvjp(_move_state, _move_state_backward)


def _uniform(bound: float):
  def init(key, shape, dtype):
    return jax.random.uniform(key, shape, dtype, -bound, bound)

  return init


class GateLordCell(nn.Module):
  """One step of the recurrence, and what it puts out.

  Attributes:
    features: H, of state and output.
    opening_cost: see `move_state`.
  """

  features: int
  opening_cost: float
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, state: Array, traces: Traces) -> tuple[Array, Array, Traces, Array]:
    """Returns output [..., H], the next state [..., H], traces, and the share of open gates."""
    inputs, features = x.shape[-1], self.features
    from_input, between = (
      _uniform((6 / (inputs + features)) ** 0.5),
      _uniform((3 / features) ** 0.5),
    )

    def weights(name, of_state):
      kernel = self.param(f"{name}_input", from_input, (inputs, features), jnp.float32)
      recurrent = self.param(f"{name}_state", of_state, (features, features), jnp.float32)
      bias = self.param(f"{name}_bias", nn.initializers.zeros, (features,), jnp.float32)
      return kernel, recurrent, bias

    moving = StateWeights(*weights("gate", between), *weights("candidate", between))
    value, opening = weights("value", from_input), weights("output_gate", from_input)
    x, state, moving, value, opening, traces = _common_type(
      self.dtype, x, state, moving, value, opening, traces
    )
    state, traces, is_open = move_state(x, state, moving, traces, self.opening_cost)

    output = nn.sigmoid(_affine(x, state, *opening)) * tanh(_affine(x, state, *value))
    return output, state, traces, is_open.mean()


def _common_type(dtype, *trees):
  leaves, structure = jax.tree.flatten(trees)
  return jax.tree.unflatten(structure, promote_dtype(*leaves, dtype=dtype))
