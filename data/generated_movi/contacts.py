"""Where solids touch: points on their surfaces, and how far those are from other solids.

A solid meets another where one of its points comes near the other's surface. Points are corners
and places along edges and rims; a sphere is its centre, from which its surface is a radius away. So
flat faces that meet are found by their corners, and crossing edges by the points on them.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import numpy as np

RIM = 16  # points of a cylinder's rim
_ALONG = (-0.5, 0.0, 0.5)  # places on a box's edge besides its ends
_CORNERS = np.array(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0])).reshape(3, 8).T


def surface_points(shape: str, half: np.ndarray) -> tuple[np.ndarray, float]:
  """Points [P, 3] of a solid in its own axes, and the distance its surface is from them."""
  if shape == "sphere":
    return np.zeros((1, 3)), float(half[0])
  if shape == "box":
    ends = [(a, b) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    edges = [np.insert((a, b), axis, at) for axis in range(3) for a, b in ends for at in _ALONG]
    return np.concatenate([_CORNERS, edges]) * half, 0.0
  angles = np.arange(RIM) * (2 * np.pi / RIM)
  around = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  rings = [np.insert(around, 2, height, axis=1) for height in (-1.0, 0.0, 1.0)]
  return np.concatenate(rings) * half, 0.0


def lowest_points(shape: str, half: np.ndarray, rotation: np.ndarray) -> np.ndarray:
  """Points [P, 3] of a solid, from its centre in the world's axes, that may touch a floor.

  Args:
    shape: "box", "sphere" or "cylinder".
    half: its half extents.
    rotation: [3, 3], from its axes to the world's.
  """
  if shape == "sphere":
    return np.array([[0.0, 0.0, -half[0]]])
  if shape == "box":
    return (_CORNERS * half) @ rotation.T
  # Of each rim the lowest point, so that it rolls smoothly, and three more to stand on.
  length = np.hypot(rotation[2, 0], rotation[2, 1])
  x, y = (-half[0] / length) * rotation[2, :2] if length > 1e-9 else (half[0], 0.0)
  rim = ((x, y), (-y, x), (-x, -y), (y, -x))
  points = np.array([(*place, height) for height in (-half[2], half[2]) for place in rim])
  return points @ rotation.T


def outside(shape: str, half: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """How far points [P, 3] are outside of a solid, in its own axes.

  Returns:
    distances [P], negative inside, and the unit directions [P, 3] in which they grow.
  """
  if shape == "sphere":
    length = np.sqrt((points * points).sum(axis=1))
    return length - half[0], points / np.maximum(length, 1e-9)[:, None]
  if shape == "box":
    return _outside_box(points, half)
  radius = np.sqrt(points[:, 0] ** 2 + points[:, 1] ** 2)
  distance, direction = _outside_box(
    np.stack([radius, points[:, 2]], axis=-1), np.array([half[0], half[2]])
  )
  across = points[:, :2] / np.maximum(radius, 1e-9)[:, None] * direction[:, :1]
  return distance, np.concatenate([across, direction[:, 1:]], axis=1)


def _outside_box(points: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """`outside` of a box of any number of dimensions; its directions are those of its faces.

  A direction off a corner would depend on which point of two crossing edges is looked at.
  """
  beyond = np.abs(points) - half
  face = beyond.argmax(axis=1)
  rows = np.arange(len(points))
  outer = np.maximum(beyond, 0)
  length = np.sqrt((outer * outer).sum(axis=1))
  direction = np.zeros_like(points)
  direction[rows, face] = 1.0
  off = length > 0
  direction[off] = outer[off] / length[off, None]
  distance = np.where(off, length, beyond[rows, face])
  return distance, direction * np.where(points < 0, -1.0, 1.0)
