"""Flat shapes drawn from their formula anywhere in a picture, without antialiasing.

Numpy only: the processes that draw scenes import this module.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Patch(NamedTuple):
  """The window of a picture that holds a shape, and which of its pixels are the shape's."""

  row: int
  column: int
  mask: np.ndarray  # bool [h, w]; empty where the shape is outside of the picture


class Shape(NamedTuple):
  """A shape around the origin of its own axes, u to the right and v downwards."""

  # (u, v), float64 arrays that broadcast to [h, w] -> which points are in the shape.
  inside: Callable[[np.ndarray, np.ndarray], np.ndarray]
  reach: float  # half the window that holds it at any orientation


def draw(
  shape: Shape,
  scale: float,
  orientation: float,
  centre: tuple[float, float],
  size: int,
  frame: float,
) -> Patch:
  """Draws a shape; a pixel is painted when its centre is inside.

  Args:
    shape: what to draw.
    scale: its units measure so much in the frame.
    orientation: radians, counter-clockwise on the screen.
    centre: x and y in the frame, y downwards; outside of it parts are cut off.
    size: pixels of a side of the picture.
    frame: what the picture's side measures.
  """
  pixel = frame / size
  reach = shape.reach * scale
  (left, right), (top, bottom) = (_pixels_within(c - reach, c + reach, size, frame) for c in centre)
  across = ((np.arange(left, right) + 0.5) * pixel - centre[0]) / scale
  down = ((np.arange(top, bottom) + 0.5) * pixel - centre[1]) / scale
  cosine, sine = math.cos(orientation), math.sin(orientation)
  u = (cosine * across)[None, :] - (sine * down)[:, None]
  v = (sine * across)[None, :] + (cosine * down)[:, None]
  return Patch(top, left, shape.inside(u, v))


def paint(segmentation: np.ndarray, patch: Patch, label: int) -> None:
  """Gives the pixels of the patch a label, in place; `segmentation` is [H, W]."""
  height, width = patch.mask.shape
  rows, columns = slice(patch.row, patch.row + height), slice(patch.column, patch.column + width)
  segmentation[rows, columns][patch.mask] = label


def _pixels_within(low: float, high: float, size: int, frame: float) -> tuple[int, int]:
  scale = size / frame
  return max(0, math.floor(low * scale)), min(size, math.ceil(high * scale))
