"""What a slot is: where, what, and in front of which others."""

import flax.struct
import jax
import jax.numpy as jnp

Array = jax.Array

POSITION = 4  # x, y, depth, size


@flax.struct.dataclass
class Latents:
  """Of K slots.

  Attributes:
    position: [B, K, 4] x to the right and y down, in [-1, 1]; depth; standard deviation of the
      Gaussian that says how large the object is, relative to the image.
    gestalt: [B, K, 3 G + 1] codes of shape, depth and colours, G entries each, nearly binary, and
      the scale of the depth.
    priority: [B, K, 1] larger is in front.
  """

  position: Array
  gestalt: Array
  priority: Array

  def packed(self) -> Array:
    """All in one vector, [B, K, 3 G + 6]."""
    return jnp.concatenate([self.position, self.gestalt, self.priority], axis=-1)

  @classmethod
  def unpacked(cls, vector: Array) -> "Latents":
    """The inverse of `packed`."""
    return cls(vector[..., :POSITION], vector[..., POSITION:-1], vector[..., -1:])
