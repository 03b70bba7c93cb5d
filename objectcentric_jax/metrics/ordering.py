"""Which of two overlapping objects is in front: how often masks say so rightly.

The object ordering accuracy of Yuan et al. (TPAMI 2023, arXiv 2202.07135), weighted by how much
objects overlap. What a model says is read off its masks, so that it needs no order of its own.
"""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def overlaps(labels: Array, amodal: Array, masks: Array) -> dict[str, Array]:
  """What there is to know where two whole objects overlap.

  Args:
    labels: [B, T, H, W, 1] of visible pixels, object k as k + 1.
    amodal: [B, T, M, H, W, 1] whole objects, hidden parts included, in [0, 1].
    masks: [B, T, K, H, W, 1] of slots.

  Returns:
    "seen" [B, T, M, M, M] and "claimed" [B, T, M, M, K]: of the pixels that objects i and j have in
    common, how many each object is seen in and each slot claims.
  """
  batch, frames, count = amodal.shape[:3]
  whole = (amodal > 0.5).astype(masks.dtype).reshape(batch, frames, count, -1)
  numbers = jnp.arange(1, count + 1).reshape(1, 1, -1, 1)
  visible = (labels.reshape(batch, frames, 1, -1) == numbers).astype(masks.dtype)
  slots = masks.reshape(batch, frames, masks.shape[2], -1)
  common = whole[:, :, :, None] * whole[:, :, None]  # [B, T, M, M, P]
  return {
    "seen": jnp.einsum("btijp,btmp->btijm", common, visible),
    "claimed": jnp.einsum("btijp,btkp->btijk", common, slots),
  }


def ordering_accuracy(seen: np.ndarray, claimed: np.ndarray, matched: np.ndarray) -> np.ndarray:
  """Share of the pixels of overlaps whose pair of objects is ordered rightly, [N]; NaN without any.

  Args:
    seen, claimed: [N, M, M, M or K] from `overlaps`.
    matched: [N, M, K] ones where an object has a slot. Objects without one are behind all others.
  """
  count = seen.shape[1]
  own, other = np.arange(count)[:, None], np.arange(count)[None]
  first, second = seen[:, own, other, own], seen[:, own, other, other]  # [N, M, M]
  claims = np.einsum("nijk,nmk->nijm", claimed, matched)
  says_first = claims[:, own, other, own] > claims[:, own, other, other]
  # Each pair once, in the order in which the first is in front; others hide some overlaps wholly.
  counts = first > second
  weight = (first + second) * counts
  total = weight.sum((1, 2))
  with np.errstate(invalid="ignore"):
    return np.where(total > 0, (weight * says_first).sum((1, 2)) / total, np.nan)
