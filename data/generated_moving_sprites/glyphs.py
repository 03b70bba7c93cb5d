"""The digits 0 to 9 as strokes of lines and arcs, 28 high at most and 20 wide.

Numpy only: the processes that draw scenes import this module.
"""

import functools
import math

import numpy as np

from data.building.patches import Shape

HALF_STROKE = 2.1
ARC_STEP = 20  # degrees of one straight piece
SHAPES = tuple("0123456789")


def _arc(x, y, across, down, start, stop):
  """Points on an ellipse around (x, y), `start` to `stop` degrees clockwise from the right."""
  angles = np.radians(np.linspace(start, stop, math.ceil((stop - start) / ARC_STEP) + 1))
  return np.column_stack([x + across * np.cos(angles), y + down * np.sin(angles)])


def _strokes() -> tuple[list[np.ndarray], ...]:
  """The strokes of every digit, each points [N, 2] to be joined; y downwards from the middle."""
  six = [_arc(0, 5, 7.5, 7, 0, 360), _arc(7, 5, 14.5, 17, 180, 268)]
  return (
    [_arc(0, 0, 7.5, 12, 0, 360)],
    [[(-5, -8), (1, -12), (1, 12)]],
    [np.concatenate([_arc(0, -5, 7.5, 7, 190, 395), [(-7.5, 12), (8, 12)]])],
    [_arc(-1, -6, 7.5, 6, 205, 450), _arc(-1, 6, 8.5, 6, 270, 515)],
    [[(4, 12), (4, -12), (-8, 5), (8, 5)]],
    [np.concatenate([[(7, -12), (-6, -12), (-7, -1)], _arc(-1, 4.5, 8.5, 7.5, 230, 510)])],
    six,
    [[(-8, -12), (8, -12), (-3, 12)]],
    [_arc(0, -6, 6.5, 6, 0, 360), _arc(0, 6, 7.5, 6, 0, 360)],
    [-stroke for stroke in six],
  )


def _near(segments: tuple[np.ndarray, np.ndarray], u: np.ndarray, v: np.ndarray) -> np.ndarray:
  """Whether points are on a stroke: not farther than half its width from a segment."""
  (start_u, start_v), (way_u, way_v) = (part.T[..., None, None] for part in segments)
  from_u, from_v = u - start_u, v - start_v
  share = np.clip((from_u * way_u + from_v * way_v) / (way_u**2 + way_v**2), 0, 1)
  squared = (from_u - share * way_u) ** 2 + (from_v - share * way_v) ** 2
  return squared.min(axis=0) <= HALF_STROKE**2


def _outline(strokes: list[np.ndarray]) -> Shape:
  starts = np.concatenate([stroke[:-1] for stroke in strokes]).astype(float)
  ways = np.concatenate([np.diff(stroke, axis=0) for stroke in strokes]).astype(float)
  reach = max(np.hypot(*np.transpose(stroke)).max() for stroke in strokes) + HALF_STROKE
  return Shape(functools.partial(_near, (starts, ways)), float(reach))


OUTLINES = tuple(map(_outline, _strokes()))
