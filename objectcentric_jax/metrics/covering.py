"""Segmentation covering: how well the best predicted segments cover the true ones."""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def segmentation_covering(table: Array, scored: np.ndarray) -> tuple[Array, Array]:
  """Covering of true segments by predicted ones (Arbelaez et al., 2011).

  Every true segment takes its best intersection over union with any predicted one; several may take
  the same. The plain mean over segments is the mSC of GENESIS (Engelcke et al., 2020).

  Args:
    table: [B, labels, K] float32 pixel counts: true segments against predicted ones.
    scored: [labels] bool: which true segments are averaged. Pixels of the others still count
      towards the unions.

  Returns:
    [B] mean over the scored segments that have pixels, and [B] mean weighted by their sizes; both
    in [0, 1], 0 where there is no such segment.
  """
  sizes = table.sum(2)  # [B, labels]
  unions = sizes[:, :, None] + table.sum(1)[:, None, :] - table
  best = (table / jnp.maximum(unions, 1)).max(2)  # [B, labels]

  def mean(weights):
    return (weights * best).sum(1) / jnp.maximum(weights.sum(1), 1)

  sizes = jnp.where(scored[None], sizes, 0)
  return mean((sizes > 0).astype(table.dtype)), mean(sizes)
