"""Attention against its definition, written out head by head."""

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.nn.attention import Attention, AttentionLayer, AttentionSum

BATCH, QUERIES, CONTEXT, CHANNELS, HEADS = 2, 3, 5, 8, 2


def drawn(*shape):
  return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


def test_attention_is_that_of_the_paper():
  queries, context = drawn(BATCH, QUERIES, CHANNELS), drawn(BATCH, CONTEXT, CHANNELS)
  found, params = Attention(HEADS).init_with_output(jax.random.key(0), queries, context)
  params, size = params["params"], CHANNELS // HEADS
  parts = np.split(np.asarray(params["kernel"]), 3, axis=1)
  expected = np.zeros((BATCH, QUERIES, CHANNELS))
  for b in range(BATCH):
    q, k, v = queries[b] @ parts[0], context[b] @ parts[1], context[b] @ parts[2]
    for head in range(HEADS):
      own = slice(head * size, (head + 1) * size)
      weights = jax.nn.softmax(q[:, own] @ k[:, own].T / np.sqrt(size), axis=-1)
      expected[b, :, own] = weights @ v[:, own]
  expected = expected @ params["output"]["kernel"] + params["output"]["bias"].reshape(1, 1, -1)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_layer_without_weights_leaves_tokens_as_they_are():
  x, context = drawn(BATCH, QUERIES, CHANNELS), drawn(BATCH, CONTEXT, CHANNELS)
  for arguments in ((x,), (x, context)):
    params = AttentionLayer().init(jax.random.key(0), *arguments)
    zeros = jax.tree.map(jnp.zeros_like, params)
    np.testing.assert_array_equal(AttentionLayer().apply(zeros, *arguments), x)


def test_a_sum_begins_half_way_between_the_mean_and_what_the_query_sees():
  x = drawn(BATCH, QUERIES, CHANNELS)
  params = AttentionSum().init(jax.random.key(0), x)
  zeros = jax.tree.map(jnp.zeros_like, params)
  np.testing.assert_allclose(AttentionSum().apply(zeros, x), x.mean(1) / 2, rtol=1e-5)
