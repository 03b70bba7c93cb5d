"""Colour spaces."""

import jax
import jax.numpy as jnp

Array = jax.Array

RED, GREEN, BLUE = 0.299, 0.587, 0.114  # shares of the primaries in luma, ITU-R BT.601


def rgb_to_ycbcr(image: Array) -> Array:
  """Luma and chroma of colours in [0, 1], all in [0, 1]; what follows the colours (depth) stays.

  [..., 3 or more] to the same shape.
  """
  red, green, blue = image[..., 0], image[..., 1], image[..., 2]
  luma = RED * red + GREEN * green + BLUE * blue
  blueness = (-RED * red - GREEN * green) * (0.5 / (1 - BLUE)) + 0.5 * blue + 0.5
  redness = 0.5 * red + (-GREEN * green - BLUE * blue) * (0.5 / (1 - RED)) + 0.5
  colours = jnp.stack([luma, blueness, redness], axis=-1)
  return jnp.concatenate([colours, image[..., 3:]], axis=-1)
