"""Where a ray meets a solid, by formula, and which way the surface faces there.

Points and directions are float32 [3, N], one row a coordinate, in the solid's own axes: its centre
is the origin, and its half extents are (a, b, c):

  plane     the rectangle |x| <= a, |y| <= b of z = 0, seen from both sides; a and b may be infinite
  box       |x| <= a, |y| <= b, |z| <= c
  sphere    the ellipsoid with radii a, b, c
  cylinder  the ellipse with radii a, b, from z = -c to c
  capsule   a cylinder of radius a from z = a - c to c - a with half spheres at its ends; b is a

Distances are in lengths of the ray's direction; infinity where the ray misses or begins inside.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

NEAREST = 1e-4  # a surface nearer than this is the one the ray begins at
TINY = np.float32(1e-20)  # in place of zeros that are divided by


class Shape(NamedTuple):
  """What is known of one kind of solid; each function takes the half extents, [3], first."""

  distance: Callable[..., np.ndarray]  # (half, start [3, N] or [3, 1], direction [3, N]) -> [N]
  normal: Callable[..., np.ndarray]  # (half, point of the surface [3, N]) -> outward, unit [3, N]
  radius: Callable[..., float]  # (half) -> radius of the sphere around it


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """Inner products of the columns of [3, N] and [3, N], either with N = 1."""
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: np.ndarray) -> np.ndarray:
  """The columns of [3, N] with length 1; zeros stay zeros."""
  return a / np.maximum(np.sqrt(dot(a, a)), TINY)


def _first(near: np.ndarray, far: np.ndarray) -> np.ndarray:
  """Where a ray that is inside from `near` to `far` gets in."""
  return np.where((near <= far) & (near > NEAREST), near, np.float32(np.inf))


def _within(half: float, start: np.ndarray, direction: np.ndarray):
  """From where to where a ray is between -half and half on one axis."""
  inverse = 1 / np.where(direction == 0, TINY, direction)
  middle, reach = -start * inverse, half * np.abs(inverse)
  return middle - reach, middle + reach


def _within_ball(start: np.ndarray, direction: np.ndarray):
  """From where to where a ray is in the unit ball of the space the rows span."""
  length = np.maximum(sum(d * d for d in direction), TINY)
  middle = -sum(s * d for s, d in zip(start, direction, strict=True)) / length
  # Measured from the nearest point of the ray, since squares of `start` lose too many digits.
  nearest = (s + middle * d for s, d in zip(start, direction, strict=True))
  square = (1 - sum(p * p for p in nearest)) / length
  reach = np.sqrt(np.where(square >= 0, square, np.float32(np.nan)))  # nan: never inside
  return middle - reach, middle + reach


def _plane_distance(half, start, direction):
  distance = -start[2] / np.where(direction[2] == 0, TINY, direction[2])
  inside = distance > NEAREST
  for axis in (0, 1):
    if np.isfinite(half[axis]):
      inside &= np.abs(start[axis] + distance * direction[axis]) <= half[axis]
  return np.where(inside, distance, np.float32(np.inf))


def _plane_normal(half, point):
  return np.stack([np.zeros_like(point[0]), np.zeros_like(point[0]), np.ones_like(point[0])])


def _box_distance(half, start, direction):
  near, far = _within(half[0], start[0], direction[0])
  for axis in (1, 2):
    enters, leaves = _within(half[axis], start[axis], direction[axis])
    near, far = np.maximum(near, enters), np.minimum(far, leaves)
  return _first(near, far)


def _box_normal(half, point):
  outward = point / half[:, None]
  face = np.argmax(np.abs(outward), axis=0)
  return np.where(np.arange(3)[:, None] == face, np.sign(outward), np.float32(0))


def _sphere_distance(half, start, direction):
  return _first(*_within_ball(start / half[:, None], direction / half[:, None]))


def _sphere_normal(half, point):
  return unit(point / (half * half)[:, None])


def _cylinder_distance(half, start, direction):
  across = half[:2, None]
  near, far = _within_ball(start[:2] / across, direction[:2] / across)
  enters, leaves = _within(half[2], start[2], direction[2])
  return _first(np.maximum(near, enters), np.minimum(far, leaves))


def _cylinder_normal(half, point):
  x, y, z = point / half[:, None]
  side = np.stack([x / half[0], y / half[1], np.zeros_like(z)])
  end = np.stack([np.zeros_like(x), np.zeros_like(x), np.sign(z)])
  return np.where(np.abs(z) > np.sqrt(x * x + y * y), end, unit(side))


def _capsule_distance(half, start, direction):
  straight = half[2] - half[0]
  start, direction = start / half[0], direction / half[0]
  side = _first(*_within_ball(start[:2], direction[:2]))
  height = np.abs(start[2] + np.where(np.isfinite(side), side, 0) * direction[2])
  nearest = np.where(height <= straight / half[0], side, np.float32(np.inf))
  for end in (-straight, straight):
    centre = np.array([[0], [0], [end / half[0]]], np.float32)
    nearest = np.minimum(nearest, _first(*_within_ball(start - centre, direction)))
  return nearest


def _capsule_normal(half, point):
  straight = half[2] - half[0]
  along = np.clip(point[2], -straight, straight)
  return unit(np.stack([point[0], point[1], point[2] - along]))


def _diagonal(half):
  return float(np.sqrt((half * half).sum()))


SHAPES = {
  "plane": Shape(_plane_distance, _plane_normal, _diagonal),
  "box": Shape(_box_distance, _box_normal, _diagonal),
  "sphere": Shape(_sphere_distance, _sphere_normal, lambda half: float(half.max())),
  "cylinder": Shape(
    _cylinder_distance,
    _cylinder_normal,
    lambda half: float(np.hypot(max(half[0], half[1]), half[2])),
  ),
  "capsule": Shape(_capsule_distance, _capsule_normal, lambda half: float(half[2])),
}
