"""dSprites silhouettes: square, ellipse and heart, drawn from their formula at any resolution.

The published images (Matthey et al., 2017; deepmind/dsprites-dataset) are 64 pixels wide. Positions
below are in that frame, pixel i covering [i, i + 1) and painted when its centre is inside; other
sizes sample the same plane more finely or more coarsely. The squares equal the published images
pixel by pixel; ellipses and hearts agree to a mean intersection over union above 0.99.

Numpy only: the processes that draw scenes import this module.
"""

import math
from typing import NamedTuple

import numpy as np

from data.building import patches
from data.building.patches import Patch

FRAME = 64
SHAPES = ("square", "ellipse", "heart")
# Shape, scale, orientation, x, y: the published order of the latents, the last varying fastest.
LATENT_SIZES = (3, 6, 40, 32, 32)
SPRITE_COUNT = math.prod(LATENT_SIZES)

# 9.6 in round figures; the published squares leave out pixel centres at 9.59985.
SQUARE_HALF_SIDE = 9.599
ELLIPSE_RADII = (12.8, 7.2)
# Half the window that holds a sprite of scale 1 at any orientation.
REACH = (SQUARE_HALF_SIDE * math.sqrt(2), ELLIPSE_RADII[0], 11.27)
HEART_ANGLES = 4096


class Latents(NamedTuple):
  """What one sprite looks like. Also usable with an array in every field."""

  shape: int  # index into SHAPES
  scale: float  # 0.5 to 1
  orientation: float  # radians, counter-clockwise on the screen
  x: float  # 0 to 1, to the right
  y: float  # 0 to 1, downwards


def latents_of(index) -> Latents:
  """The latents of the published sprite `index` (int or array, 0 to 737,279).

  Orientation runs over linspace(0, 2 pi, 40): the first and the last are the same picture.
  """
  shape, scale, orientation, x, y = np.unravel_index(index, LATENT_SIZES)
  return Latents(
    shape=shape, scale=0.5 + scale / 10, orientation=orientation * (2 * np.pi / 39),
    x=x / 31, y=y / 31,
  )  # fmt: skip


def _heart_radii() -> np.ndarray:
  """The heart's squared radius at HEART_ANGLES polar angles from -pi; it is star-shaped."""
  t = np.linspace(0, 2 * np.pi, 1 << 14, endpoint=False)
  across = 9.6 * np.sin(t) ** 3
  down = -1.487 - (
    8.627 * np.cos(t) - 3.254 * np.cos(2 * t) - 1.310 * np.cos(3 * t) - 0.604 * np.cos(4 * t)
  )
  angles = (np.arange(HEART_ANGLES) + 0.5) * (2 * np.pi / HEART_ANGLES) - np.pi
  return np.interp(angles, np.arctan2(down, across), across**2 + down**2, period=2 * np.pi)


_HEART_RADII = _heart_radii()


def silhouette(latents: Latents, size: int = FRAME) -> Patch:
  """Draws one sprite for a picture of `size` x `size` pixels, without antialiasing."""
  outline, centre = OUTLINES[latents.shape], (16 + 32 * latents.x, 16 + 32 * latents.y)
  return patches.draw(outline, latents.scale, latents.orientation, centre, size, FRAME)


def _in_square(u, v):
  return np.maximum(np.abs(u), np.abs(v)) <= SQUARE_HALF_SIDE


def _in_ellipse(u, v):
  return (u / ELLIPSE_RADII[0]) ** 2 + (v / ELLIPSE_RADII[1]) ** 2 <= 1


def _in_heart(u, v):
  turn = (np.arctan2(v, u) + np.pi) * (HEART_ANGLES / (2 * np.pi))
  return u * u + v * v <= _HEART_RADII[turn.astype(np.int64) % HEART_ANGLES]


OUTLINES = tuple(map(patches.Shape, (_in_square, _in_ellipse, _in_heart), REACH))
