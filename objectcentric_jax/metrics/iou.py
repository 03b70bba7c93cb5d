"""Mean intersection over union of segments that are matched one to one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax.assignment

Array = jax.Array


def mean_iou(table: Array, included: np.ndarray) -> Array:
  """Mean over true segments of their overlap with the predicted segment that each is given.

  Every predicted segment goes to one true segment at most, such that the sum of the overlaps is the
  largest possible (Kuhn, 1955). A true segment that is given none counts as 0; without a true
  segment the mean is 0.

  Args:
    table: [B, labels, K] pixel counts from `contingency`, true labels first.
    included: [labels] bool, the labels whose segments count. Pixels of the others still belong to
      the predicted segments, and make their unions larger.

  Returns:
    [B] float32 in [0, 1].
  """
  truth, predicted = table.sum(2), table.sum(1)
  union = truth[:, :, None] + predicted[:, None] - table
  overlap = jnp.where(union > 0, table / jnp.maximum(union, 1), 0)
  present = (truth > 0) & jnp.asarray(included)[None]
  overlap = jnp.where(present[:, :, None], overlap, 0)

  def matched(overlap):
    return overlap[optax.assignment.hungarian_algorithm(-overlap)].sum()

  return jax.vmap(matched)(overlap) / jnp.maximum(present.sum(1), 1)
