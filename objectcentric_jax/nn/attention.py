"""Attention as in PyTorch, and the pre-norm transformer layers of Loci-Segmented.

Published code: nn/vit.py of CognitiveModeling/Loci-Segmented, torch.nn.MultiheadAttention.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from objectcentric_jax.nn.initialization import xavier_uniform
from objectcentric_jax.nn.linear import Bottleneck, Linear
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.normalization import LayerNorm

Array = jax.Array


class Attention(nn.Module):
  """Scaled dot-product attention (Vaswani et al., 2017) with projections packed in one matrix.

  The softmax is in float32 at least.
  """

  heads: int = 1
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, queries: Array, context: Array) -> Array:
    """Queries [B, N, C] look at the context [B, M, C]: [B, N, C]. C is a multiple of `heads`."""
    channels = queries.shape[-1]
    kernel = self.param("kernel", xavier_uniform, (channels, 3 * channels), jnp.float32)
    bias = self.param("bias", nn.initializers.zeros, (3 * channels,), jnp.float32)
    queries, context, kernel, bias = promote_dtype(queries, context, kernel, bias, dtype=self.dtype)
    bias = bias.reshape(1, 1, -1)
    query = queries @ kernel[:, :channels] + bias[..., :channels]
    key, value = jnp.split(context @ kernel[:, channels:] + bias[..., channels:], 2, axis=-1)
    query, key, value = (
      x.reshape(*x.shape[:-1], self.heads, channels // self.heads) for x in (query, key, value)
    )
    scores = jnp.einsum("bnhc,bmhc->bhnm", query, key) / (channels // self.heads) ** 0.5
    weights = nn.softmax(at_least_float32(scores)).astype(value.dtype)
    seen = jnp.einsum("bhnm,bmhc->bnhc", weights, value).reshape(queries.shape)
    return Linear(channels, dtype=self.dtype, name="output")(seen)


class AttentionLayer(nn.Module):
  """Pre-norm transformer layer of one head on tokens [B, N, C].

  They look at themselves; or at a context [B, M, C], which is not normalised.
  """

  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, context: Array | None = None) -> Array:
    channels = x.shape[-1]
    queries = LayerNorm(dtype=self.dtype, name="norm_attention")(x)
    context = queries if context is None else context
    x = x + Attention(dtype=self.dtype, name="attention")(queries, context)
    y = LayerNorm(dtype=self.dtype, name="norm_bottleneck")(x)
    return x + Bottleneck(4 * channels, channels, dtype=self.dtype, name="bottleneck")(y)


class AttentionLayers(nn.Module):
  """So many layers in a row, named layer_0, layer_1 and so on."""

  count: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, context: Array | None = None) -> Array:
    for i in range(self.count):
      x = AttentionLayer(dtype=self.dtype, name=f"layer_{i}")(x, context)
    return x


class AttentionSum(nn.Module):
  """Tokens [B, N, C] to one vector [B, C]: what a learned query sees, mixed with their mean."""

  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    channels = x.shape[-1]
    query = self.param("query", nn.initializers.normal(1.0), (1, 1, channels), jnp.float32)
    mixture = self.param("mixture", nn.initializers.zeros, (1,), jnp.float32)
    tokens = LayerNorm(dtype=self.dtype, name="norm")(x)
    queries = jnp.broadcast_to(query, (len(x), 1, channels)).astype(tokens.dtype)
    seen = Attention(dtype=self.dtype, name="attention")(queries, tokens)[:, 0]
    share = nn.sigmoid(mixture).reshape(1, 1).astype(seen.dtype)
    return share * x.mean(1) + (1 - share) * seen
