"""Recurrence over short sequences of slots."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax

from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.initialization import uniform_fan_in

Array = jax.Array
State = tuple[Array, Array]


def scan_slots(step: Callable, unroll: int, length: int | None = None) -> Callable:
  """A loop over slots inside a module: (module, carry, inputs) -> (carry, outputs).

  `step` (module, carry, input of one slot) -> (carry, output of it) may call the submodules of the
  module, whose parameters all slots share. The slots are axis 1 of inputs [B, K, ...] and outputs;
  without inputs `length` says how many there are.
  """
  return nn.scan(
    step,
    variable_broadcast="params",
    split_rngs={"params": False},
    in_axes=1,
    out_axes=1,
    length=length,
    unroll=unroll,
  )


class LSTM(nn.Module):
  """One-layer LSTM over a sequence [N, T, I], giving all hidden states [N, T, features].

  The state is (hidden, cell), each [N, features]; it starts at zero when not given, and the last
  one is returned too, so that a sequence can be continued.

  Gates are stored in PyTorch's order (input, forget, cell, output) with its two bias vectors,
  so that optimisers treat a published checkpoint as the original did.
  """

  features: int
  unroll: int = 1
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, state: State | None = None) -> tuple[Array, State]:
    init = uniform_fan_in(self.features)
    gates = 4 * self.features
    kernel = self.param("input_kernel", init, (x.shape[-1], gates), jnp.float32)
    recurrent = self.param("hidden_kernel", init, (self.features, gates), jnp.float32)
    input_bias = self.param("input_bias", init, (gates,), jnp.float32)
    hidden_bias = self.param("hidden_bias", init, (gates,), jnp.float32)
    x, kernel, recurrent, input_bias, hidden_bias = promote_dtype(
      x, kernel, recurrent, input_bias, hidden_bias, dtype=self.dtype
    )
    projected = x @ kernel + (input_bias + hidden_bias)[None, None]  # all steps in one product

    def step(state, projection):
      hidden, cell = state
      parts = jnp.split(projection + hidden @ recurrent, 4, axis=-1)
      enter, forget, candidate, leave = parts
      cell = nn.sigmoid(forget) * cell + nn.sigmoid(enter) * tanh(candidate)
      hidden = nn.sigmoid(leave) * tanh(cell)
      return (hidden, cell), hidden

    if state is None:
      zeros = jnp.zeros((x.shape[0], self.features), projected.dtype)
      state = (zeros, zeros)
    state, hidden = lax.scan(step, state, projected.swapaxes(0, 1), unroll=self.unroll)
    return hidden.swapaxes(0, 1), state


class GRUCell(nn.Module):
  """A gated recurrent unit (Cho et al., 2014), one step at a time.

  Gates are stored in PyTorch's order (reset, update, new) with its two bias vectors; the reset
  gate acts on the product with the hidden state, not on the hidden state.
  """

  features: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, hidden: Array) -> Array:
    """The hidden state [N, features] after input [N, I] and hidden state [N, features]."""
    init = uniform_fan_in(self.features)
    gates = 3 * self.features
    kernel = self.param("input_kernel", init, (x.shape[-1], gates), jnp.float32)
    recurrent = self.param("hidden_kernel", init, (self.features, gates), jnp.float32)
    input_bias = self.param("input_bias", init, (gates,), jnp.float32)
    hidden_bias = self.param("hidden_bias", init, (gates,), jnp.float32)
    x, hidden, kernel, recurrent, input_bias, hidden_bias = promote_dtype(
      x, hidden, kernel, recurrent, input_bias, hidden_bias, dtype=self.dtype
    )
    reset, update, new = jnp.split(x @ kernel + input_bias[None], 3, axis=-1)
    old_reset, old_update, old_new = jnp.split(hidden @ recurrent + hidden_bias[None], 3, axis=-1)
    update = nn.sigmoid(update + old_update)
    candidate = tanh(new + nn.sigmoid(reset + old_reset) * old_new)
    return (1 - update) * candidate + update * hidden
