"""From the slots of one frame to those of the next.

Published code: nn/predictor.py of CognitiveModeling/Loci-Segmented.
"""

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.models.loci.gate_lord import GateLordCell, Traces
from objectcentric_jax.models.loci.latents import Latents
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.attention import Attention
from objectcentric_jax.nn.binarize import Binarize
from objectcentric_jax.nn.linear import Linear, Mlp
from objectcentric_jax.nn.noise import Sample

Array = jax.Array

ALMOST_ZERO = nn.initializers.constant(1e-12)  # residual branches begin switched off
KEPT = 5.0  # subtracted from the logits of changing a gestalt entry


@flax.struct.dataclass
class Memory:
  """What the predictor remembers of each slot; all zero in a new sequence.

  Attributes:
    state: [B, K, heads * features].
    traces: of each cell, see `gate_lord`.
  """

  state: Array
  traces: tuple[Traces, ...]

  @classmethod
  def zeros(cls, batch: int, slots: int, features: int, layers: int, dtype=jnp.float32) -> "Memory":
    """That of a new sequence; `features` of all heads together."""
    traces = Traces.zeros((batch, slots), features, features, dtype)
    return cls(jnp.zeros((batch, slots, features), dtype), (traces,) * (layers + 1))


class Predictor(nn.Module):
  """Attention between the slots and one memory that all cells move in turn.

  Attributes:
    features: of one head; at least the size of a slot, 3 G + 6.
    layers: attention layers. Cells are one more: between two of them the whole stack of attention
      layers is applied, as published weights want it.
    heads: of input, attention and output.
    opening_cost: of the cells' gates.
  """

  features: int
  layers: int
  heads: int
  opening_cost: float
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(
    self, latents: Latents, memory: Memory, train: bool, sample: Sample = True
  ) -> tuple[Latents, Memory, Array]:
    """The slots of the next frame, the memory after it, and the share of open gates of each cell.

    In training the change of the gestalt is drawn (draw "binarize"), else rounded.
    """
    width, size = self.heads * self.features, latents.packed().shape[-1]
    attention = [
      SlotAttentionLayer(self.heads, self.dtype, name=f"attention_{i}") for i in range(self.layers)
    ]
    embedding = InputEmbedding(self.features, self.heads, self.dtype, name="input_embedding")
    y, state = embedding(latents.packed(), memory.state), memory.state
    traces, openings = [], []
    for i in range(self.layers + 1):
      if i:
        for layer in attention:
          y = layer(y)
      cell = GateLordCell(width, self.opening_cost, self.dtype, name=f"cell_{i}")
      output, state, moved, is_open = cell(y, state, memory.traces[i])
      y = y + _share(self, f"cell_{i}_alpha", y.ndim) * output
      traces.append(moved)
      openings.append(is_open)
    y = OutputEmbedding(size, self.features, self.heads, self.dtype, name="output_embedding")(y)
    moved = Latents.unpacked(y)
    moved = moved.replace(gestalt=self._changed(latents.gestalt, moved.gestalt, train, sample))
    return moved, Memory(state, tuple(traces)), jnp.stack(openings)

  def _changed(self, gestalt: Array, logits: Array, train: bool, sample: Sample) -> Array:
    """The gestalt with the entries exchanged that the network wants to change."""
    size = gestalt.shape[-1]
    logits = logits + Mlp((4 * size, size), dtype=self.dtype, name="change")(logits)
    change = Binarize(train)(logits - KEPT, sample)
    return gestalt + change - 2 * gestalt * change  # exclusive or


def _share(module: nn.Module, name: str, rank: int) -> Array:
  """Learned factor of a residual branch, to be multiplied with arrays of this rank."""
  return module.param(name, ALMOST_ZERO, (1,), jnp.float32).reshape((1,) * rank)


class SlotAttentionLayer(nn.Module):
  """Attention between slots [B, K, C], added with a learned weight."""

  heads: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    alpha = _share(self, "alpha", x.ndim)
    return x + alpha * Attention(self.heads, self.dtype, name="attention")(x, x)


class InputEmbedding(nn.Module):
  """Each head gets the slot and, in the rest of its width, a view of the memory."""

  features: int
  heads: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, state: Array) -> Array:
    """[B, K, D] and [B, K, heads * features] to [B, K, heads * features]."""
    size, batch = x.shape[-1], x.shape[:-1]
    widths = (self.heads * self.features, self.heads * size)
    residual = Mlp(widths, dtype=self.dtype, name="residual")(x).reshape(*batch, self.heads, size)
    alpha = _share(self, "alpha", residual.ndim)
    rest = self.heads * (self.features - size)
    view = nn.sigmoid(Linear(rest, dtype=self.dtype, name="exchange_gate")(state))
    view = view * tanh(Linear(rest, dtype=self.dtype, name="exchange_code")(state))
    view = view.reshape(*batch, self.heads, self.features - size)
    joined = jnp.concatenate([x[..., None, :] + alpha * residual, view], axis=-1)
    return joined.reshape(*batch, self.heads * self.features)


class OutputEmbedding(nn.Module):
  """Takes the slot back out of the heads."""

  size: int
  features: int
  heads: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    """[B, K, heads * features] to [B, K, size]."""
    batch = x.shape[:-1]
    x = x.reshape(*batch, self.heads, self.features)[..., : self.size]
    flat = x.reshape(*batch, self.heads * self.size)
    widths = (self.heads * self.features, self.size)
    alpha = _share(self, "alpha", flat.ndim)
    return x.mean(-2) + alpha * Mlp(widths, dtype=self.dtype, name="residual")(flat)
