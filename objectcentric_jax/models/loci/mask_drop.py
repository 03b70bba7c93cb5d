"""Dropping one of two slots that show the same object.

Published code: utils/utils.py of CognitiveModeling/Loci-Segmented.
"""

import jax
import jax.numpy as jnp
from jax import lax, nn

Array = jax.Array

VISIBLE = 0.75  # mask value of a pixel from which on a slot counts as seen
UNSEEN_NOISE = 0.01  # deviation of the codes that stand for unseen slots
DROPPED = -10.0  # logit
SIMILAR = 1e-5


def drop_similar(
  logits: Array, position: Array, gestalt: Array, noise: Array, over_batch: bool = False
) -> Array:
  """Logits in which all but the last of several similar slots are dropped.

  Args:
    logits: [B, K, H, W, 1].
    position: [B, K, 4].
    gestalt: [B, K, C].
    noise: standard normal [B, K, C], for the codes of slots that are not seen.
    over_batch: whether similarity counts from its mean over the whole batch on instead of the mean
      over the slots of each example; published batches of several examples do so.
  """
  position, gestalt = lax.stop_gradient((position, gestalt))
  background = jnp.ones_like(logits[:, :1])
  masks = nn.softmax(lax.stop_gradient(jnp.concatenate([logits, background], axis=1)), axis=1)
  seen = (masks[:, :-1].max((2, 3, 4)) > VISIBLE)[..., None]
  gestalt = jnp.where(seen, gestalt, 0.5 + UNSEEN_NOISE * noise)
  position = jnp.where(seen, position, 0.0)
  similar = nn.relu(_correlation(gestalt) * _nearness(position))
  mean = similar.mean() if over_batch else similar.mean((1, 2), keepdims=True)
  similar = nn.relu(similar - mean) / (1 - mean)
  later = jnp.triu(jnp.ones(similar.shape[1:], similar.dtype), 1)[None]
  # NaN, where the codes of a slot do not vary at all, drops as well.
  kept = ((similar * later).max(2) < SIMILAR)[..., None, None, None]
  return jnp.where(kept, logits, DROPPED)


def _nearness(position: Array) -> Array:
  """[B, K, 4] to [B, K, K]: 1 at the same place. z counts twice, as published."""
  place = position[..., jnp.array([0, 1, 2, 2])]
  squares = ((place[:, :, None] - place[:, None]) ** 2).sum(-1)
  spread = position[:, :, None, -1] * position[:, None, :, -1] * 25
  return jnp.exp(-jnp.sqrt(squares) / (2 * spread + 1e-5))


def _correlation(gestalt: Array) -> Array:
  """Pearson's, between slots over the entries of their codes: [B, K, C] to [B, K, K]."""
  centred = gestalt - gestalt.mean(-1, keepdims=True)
  covariance = jnp.einsum("bic,bjc->bij", centred, centred)
  deviation = jnp.sqrt(jnp.diagonal(covariance, axis1=1, axis2=2))
  return covariance / (deviation[:, :, None] * deviation[:, None])
