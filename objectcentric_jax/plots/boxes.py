"""Boxes drawn over images: all alike, or each in the colour of its track."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.nn.glimpses import paste_sum
from objectcentric_jax.scene import Scene

Array = jax.Array

TEMPLATE_SIDE, TEMPLATE_FRAME = 21, 2  # pixels of the frame that is stretched over a box
GREEN = (0.0, 1.0, 0.0)
# Red where a box is as likely as not to hold an object, yellow between, green where it surely does.
UNSURE, LIKELY, SURE = (0.9, 0.1, 0.1), (0.95, 0.8, 0.1), (0.1, 0.75, 0.2)
FAINT = 0.1  # boxes that are less present are left out
WHITE = (1.0, 1.0, 1.0)  # of true boxes
LEAST_SIDE = 192  # pixels of a picture on which frames can be told apart
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
  drawn = jnp.clip(_frames(boxes, presence[..., None], images), 0, 1)
  return jnp.clip(images + drawn * jnp.asarray(colour, images.dtype).reshape(1, 1, 1, 3), 0, 1)


def cover_with_boxes(
  images: Array, boxes: Array, presence: Array, colours: Array | None = None
) -> Array:
  """Enlarged images [B, s H, s W, 3] with frames around boxes over them, whatever is behind.

  Frames are as opaque as their boxes are present; those below FAINT are left out. Where frames
  cross, their colours mix. Images are enlarged by a whole factor s until both sides have
  LEAST_SIDE pixels.

  Args:
    images: [B, H, W, 3] in [0, 1].
    boxes: [B, N, 4] as in `objectcentric_jax.scene.Scene`.
    presence: [B, N] in [0, 1].
    colours: [B, N, 3] in [0, 1]; by presence when None: red (at most one half), yellow, green (1).
  """
  factor = max(1, -(-LEAST_SIDE // min(images.shape[1:3])))
  images = images.repeat(factor, axis=1).repeat(factor, axis=2)
  if colours is None:
    colours = presence_colours(presence)
  opacity = jnp.where(presence < FAINT, 0, presence)[..., None]
  layers = _frames(boxes, jnp.concatenate([opacity, opacity * colours], -1), images)
  total = layers[..., :1]
  share = jnp.clip(total, 0, 1)
  return (1 - share) * images + share * layers[..., 1:] / jnp.maximum(total, 1e-6)


def presence_colours(presence: Array) -> Array:
  """[..., 3] in [0, 1] from UNSURE (presence of one half or less) over LIKELY to SURE (1)."""
  place = jnp.clip(2 * presence - 1, 0, 1)
  stops = jnp.asarray([UNSURE, LIKELY, SURE], presence.dtype)
  known = jnp.asarray([0.0, 0.5, 1.0], presence.dtype)
  return jnp.stack([jnp.interp(place, known, stops[:, i]) for i in range(3)], axis=-1)


def box_panel(scene: Scene, batch: Mapping[str, Array]) -> dict[str, Array]:
  """Boxes over images, and true ones in white where there are: row -> [B, s H, s W, 3].

  Args:
    scene: has `boxes` [B, N, 4] and `presence` [B, N].
    batch: has "image" in [0, 1]; true boxes are its "bboxes" [B, M, 4] and "num_objects" [B].
  """
  image = batch["image"]
  rows = {"boxes": cover_with_boxes(image, scene.boxes, scene.presence)}
  if "bboxes" in batch and "num_objects" in batch:
    low, high = jnp.split(batch["bboxes"].astype(image.dtype), 2, axis=-1)
    boxes = jnp.concatenate([(low + high) / 2, high - low], axis=-1)
    real = jnp.arange(boxes.shape[1])[None] < batch["num_objects"][:, None]
    white = jnp.broadcast_to(jnp.asarray(WHITE, image.dtype), (*real.shape, 3))
    rows["true boxes"] = cover_with_boxes(image, boxes, real.astype(image.dtype), white)
  return rows


def _frames(boxes: Array, values: Array, images: Array) -> Array:
  """Sum over boxes of a frame with these values [B, N, C] around each: [B, H, W, C]."""
  inside = TEMPLATE_SIDE - TEMPLATE_FRAME
  template = np.ones((TEMPLATE_SIDE, TEMPLATE_SIDE, 1))
  template[TEMPLATE_FRAME:inside, TEMPLATE_FRAME:inside] = 0
  frames = values[:, :, None, None] * jnp.asarray(template, images.dtype)[None, None]
  y, x, height, width = jnp.split(boxes, 4, axis=-1)
  placed = jnp.concatenate([width, height, 2 * x - 1, 2 * y - 1], axis=-1)
  return paste_sum(frames, placed, *images.shape[1:3])


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
