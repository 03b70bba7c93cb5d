"""What keeps the slots of Loci-Segmented the same from one frame to the next.

Both losses weigh a slot by the largest value its mask ever had; the caller keeps that. Published
code: utils/loss.py of CognitiveModeling/Loci-Segmented.
"""

import jax
import jax.numpy as jnp
from jax import lax, nn

from objectcentric_jax.nn.glimpses import cut

Array = jax.Array

POSITION_WEIGHT = 0.01
DEVIATION_WEIGHT = 0.25  # of the squashed deviation in a position
DARK = 2.5  # taken from pictures before they are squashed


def largest_of_masks(mask: Array) -> Array:
  """Of each slot: masks [B, K, H, W, 1] to [B, K], without gradient."""
  return lax.stop_gradient(mask.max((2, 3, 4)))


def position_loss(position: Array, last: Array, seen: Array) -> Array:
  """How far slots moved and grew: positions [B, K, 4], `seen` [B, K], to a scalar.

  `last` gets no gradient.
  """

  def placed(position):
    deviation = DEVIATION_WEIGHT * nn.sigmoid(position[..., 3:4])
    return jnp.concatenate([position[..., :2], deviation], axis=-1)

  moved = placed(position) - placed(lax.stop_gradient(last))
  return POSITION_WEIGHT * (seen[..., None] * moved**2).mean()


def appearance_loss(
  first: Array, first_position: Array, second: Array, second_position: Array, seen: Array
) -> Array:
  """How different slots look once they are moved to the middle of the picture: a scalar.

  Pictures are [B, K, H, W, C], positions [B, K, 4] without gradient, `seen` [B, K].
  """
  difference = _centred(first, first_position) - _centred(second, second_position)
  return (seen[..., None, None, None] * difference**2).mean()


def _centred(picture: Array, position: Array) -> Array:
  height, width = picture.shape[2:4]
  shift = lax.stop_gradient(position[..., :2])
  boxes = jnp.concatenate([jnp.ones_like(shift), shift], axis=-1)
  squashed = nn.sigmoid(picture - DARK)
  flat, boxes = squashed.reshape(-1, *squashed.shape[2:]), boxes.reshape(-1, 1, 4)
  return cut(flat, boxes, (height, width)).reshape(picture.shape)
