"""Adjusted Rand index of two labellings (Hubert and Arabie, 1985), accurate in float32."""

import jax
import jax.numpy as jnp

Array = jax.Array


def adjusted_rand_index(table: Array) -> Array:
  """Agreement of two labellings over all pairs of pixels: 1 when equal, near 0 for chance.

  Two labellings disagree about a pair of pixels that one puts together and the other apart. The
  index is one minus the disagreements over those expected by chance, which is the usual form
  rearranged. Here it matters: pairs outnumber what float32 holds, but both numbers are sums of
  positive terms, so nothing cancels. The error is at most about 1e-6 for images of any size up to
  2^24 pixels, and equal labellings score exactly 1.

  Degenerate labellings follow scikit-learn: 1 without pixels, 1 when both have one cluster or both
  have only single pixels, 0 when exactly one of them has.

  Args:
    table: [B, count_a, count_b] float32 pixel counts from `contingency`.

  Returns:
    [B] float32 in [-0.5, 1].
  """
  sizes_a, sizes_b, total = table.sum(2), table.sum(1), table.sum((1, 2))

  def together(sizes):  # [B, clusters] -> [B] ordered pairs in the same cluster
    return (sizes * (sizes - 1)).sum(1)

  def apart(sizes):
    return (sizes * (total[:, None] - sizes)).sum(1)

  others = (sizes_a[:, :, None] - table) + (sizes_b[:, None, :] - table)
  disagreements = (table * others).sum((1, 2))  # ordered pairs together in one, apart in the other
  pairs = jnp.maximum(total * (total - 1), 1)
  by_chance = together(sizes_a) / pairs * apart(sizes_b) + together(sizes_b) / pairs * apart(
    sizes_a
  )
  # Chance allows no disagreement only where both have one cluster, or both only single pixels.
  return 1 - disagreements / jnp.where(by_chance > 0, by_chance, 1)
