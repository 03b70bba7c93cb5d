"""Cutting glimpses out of images and pasting them back, by axis-aligned boxes.

The spatial transformer (Jaderberg et al., 2015) for boxes that do not rotate. Bilinear sampling is
then separable: a glimpse is the image between two small matrices of weights, one for its rows and
one for its columns. That is exactly PyTorch's grid_sample with align_corners=False and zeros beyond
the border, gradients included, without a gather and without a full-size grid for every glimpse.

A box [..., 4] is (scale x, scale y, shift x, shift y) in units of half the image: scale 1 spans the
image, shift (0, 0) is its middle, (-1, -1) its top left corner. Columns come before rows, as in the
affine matrices of published checkpoints.
"""

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

SMALLEST_SCALE = 1e-9  # keeps the inverse of a box finite

# The weights hold positions: fast low-precision products would move glimpses by parts of a pixel.
_PRECISION = lax.Precision.HIGHEST


def cut(images: Array, boxes: Array, side: int | tuple[int, int]) -> Array:
  """Glimpses [B, N, h, w, C] of images [B, H, W, C] under boxes [B, N, 4].

  `side` is h = w, or (h, w).
  """
  height, width = images.shape[1:3]
  rows_out, columns_out = (side, side) if isinstance(side, int) else side
  scale, shift = boxes[..., :2], boxes[..., 2:]
  columns = _weights(scale[..., 0], shift[..., 0], columns_out, width)
  rows = _weights(scale[..., 1], shift[..., 1], rows_out, height)
  strips = jnp.einsum("bngy,byxc->bngxc", rows, images, precision=_PRECISION)
  return jnp.einsum("bnhx,bngxc->bnghc", columns, strips, precision=_PRECISION)


def paste(glimpses: Array, boxes: Array, height: int, width: int) -> Array:
  """Each glimpse on its own canvas: [B, N, g, h, C] under boxes [B, N, 4] to [B, N, H, W, C].

  Zero outside of the box; at its rim a glimpse fades over half of its own pixel.
  """
  rows, columns = _inverse_weights(glimpses, boxes, height, width)
  # Columns first: the product that makes the canvases then leaves their axes in order.
  strips = jnp.einsum("bnxh,bnghc->bngxc", columns, glimpses, precision=_PRECISION)
  return jnp.einsum("bnyg,bngxc->bnyxc", rows, strips, precision=_PRECISION)


def paste_sum(glimpses: Array, boxes: Array, height: int, width: int) -> Array:
  """All glimpses added on one canvas [B, H, W, C]: the sum of `paste` over N, without its size."""
  rows, columns = _inverse_weights(glimpses, boxes, height, width)
  strips = jnp.einsum("bnyg,bnghc->bnyhc", rows, glimpses, precision=_PRECISION)
  return jnp.einsum("bnxh,bnyhc->byxc", columns, strips, precision=_PRECISION)


def image_boxes(boxes: Array) -> Array:
  """Boxes as those of a scene, centre y, x, height and width as shares: [..., 4] either way."""
  width, height, x, y = jnp.split(boxes, 4, axis=-1)
  return jnp.concatenate([(y + 1) / 2, (x + 1) / 2, height, width], axis=-1)


def _inverse_weights(glimpses: Array, boxes: Array, height: int, width: int) -> tuple[Array, Array]:
  """Weights of glimpse rows [B, N, H, g] and columns [B, N, W, h] in the pixels of a canvas."""
  scale = boxes[..., :2] + SMALLEST_SCALE
  inverse, shift = 1 / scale, -boxes[..., 2:] / scale
  rows = _weights(inverse[..., 1], shift[..., 1], height, glimpses.shape[2])
  columns = _weights(inverse[..., 0], shift[..., 0], width, glimpses.shape[3])
  return rows, columns


def _weights(scale: Array, shift: Array, targets: int, sources: int) -> Array:
  """What each target pixel takes of each source pixel along one axis: [..., targets, sources].

  Target pixel i of n looks at scale * ((2i + 1) / n - 1) + shift.
  """
  centres = (2 * jnp.arange(targets, dtype=scale.dtype) + 1) / targets - 1
  centres = centres.reshape((1,) * scale.ndim + (-1,))
  looked_at = scale[..., None] * centres + shift[..., None]
  position = ((looked_at + 1) * sources - 1) / 2  # in source pixels
  distance = position[..., None] - jnp.arange(sources, dtype=scale.dtype).reshape(
    (1,) * position.ndim + (-1,)
  )
  # max(0, 1 - |distance|) with the derivative to the right where a position meets a pixel.
  rising = jnp.where(distance < -1, 0, 1 + distance)
  falling = jnp.where(distance < 1, 1 - distance, 0)
  return jnp.where(distance < 0, rising, falling)
