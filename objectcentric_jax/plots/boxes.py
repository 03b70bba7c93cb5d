"""Boxes drawn over images: all alike, or each in the colour of its track."""

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.nn.glimpses import paste_sum

Array = jax.Array

TEMPLATE_SIDE, TEMPLATE_FRAME = 21, 2  # pixels of the frame that is stretched over a box
GREEN = (0.0, 1.0, 0.0)
LINE = 2  # pixels of an outline
GOLDEN_RATIO = (5**0.5 - 1) / 2
SATURATION = (0.95, 0.55, 0.75)  # of tracks in turn


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


def track_colours(identity: np.ndarray) -> np.ndarray:
  """A bright colour for each track, the same wherever it is seen: [..., 3] uint8.

  Steps of the golden ratio around the circle of hues: tracks of near numbers differ most, and there
  is no end to them.

  Args:
    identity: [...] integer.
  """
  identity = np.asarray(identity)
  hue = 6 * (identity * GOLDEN_RATIO % 1)
  saturation = np.asarray(SATURATION)[identity % len(SATURATION)]
  # How far each of red, green and blue is from its own part of the circle.
  distance = np.abs((hue[..., None] - np.array([0, 2, 4]) + 3) % 6 - 3)
  share = np.clip(2 - distance, 0, 1)
  return np.round(255 * (1 - saturation[..., None] * (1 - share))).astype(np.uint8)


def outline_boxes(
  pictures: np.ndarray, boxes: np.ndarray, opacity: np.ndarray, colours: np.ndarray
) -> np.ndarray:
  """Pictures with the outlines of boxes, later boxes over earlier ones, as a copy.

  Args:
    pictures: [N, H, W, 3] uint8.
    boxes: [N, K, 4] top, left, bottom, right as shares of the picture.
    opacity: [N, K] in [0, 1]; boxes of none are not drawn.
    colours: [N, K, 3] uint8.
  """
  drawn = np.array(pictures)
  height, width = drawn.shape[1:3]
  edges = np.round(np.asarray(boxes) * np.tile([height, width], 2)).astype(int)
  for n, k in np.argwhere(np.asarray(opacity) > 0):
    top, left, bottom, right = edges[n, k]
    line = drawn[n, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    rows, columns = np.arange(max(top, 0), bottom), np.arange(max(left, 0), right)
    rows, columns = rows[rows < height], columns[columns < width]
    on_row = (rows < top + LINE) | (rows >= bottom - LINE)
    on_column = (columns < left + LINE) | (columns >= right - LINE)
    share = opacity[n, k] * (on_row[:, None] | on_column)[..., None]
    line[:] = np.round((1 - share) * line + share * colours[n, k])
  return drawn
