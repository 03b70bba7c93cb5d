"""Boxes drawn over images."""

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.nn.glimpses import paste_sum

Array = jax.Array

TEMPLATE_SIDE, TEMPLATE_FRAME = 21, 2  # pixels of the frame that is stretched over a box
GREEN = (0.0, 1.0, 0.0)


def draw_boxes(
  images: Array, boxes: Array, presence: Array, colour: tuple[float, float, float] = GREEN
) -> Array:
  """Images [B, H, W, 3] in [0, 1] with frames around boxes added in this colour.

  Drawn as in the figures of Lin et al. (ICLR 2020): every frame is as bright as its box is present.

  Args:
    images: to draw on.
    boxes: [B, N, 4] as in `objectcentric_jax.scene.Scene`.
    presence: [B, N] in [0, 1].
    colour: in [0, 1].
  """
  inside = TEMPLATE_SIDE - TEMPLATE_FRAME
  template = np.ones((TEMPLATE_SIDE, TEMPLATE_SIDE, 1))
  template[TEMPLATE_FRAME:inside, TEMPLATE_FRAME:inside] = 0
  frames = presence[..., None, None, None] * jnp.asarray(template, images.dtype)[None, None]
  y, x, height, width = jnp.split(boxes, 4, axis=-1)
  placed = jnp.concatenate([width, height, 2 * x - 1, 2 * y - 1], axis=-1)
  drawn = jnp.clip(paste_sum(frames, placed, *images.shape[1:3]), 0, 1)
  return jnp.clip(images + drawn * jnp.asarray(colour, images.dtype).reshape(1, 1, 1, 3), 0, 1)
