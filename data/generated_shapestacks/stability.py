"""Whether a tower of single solids stands, exactly.

Everything stands upright and touches the one below with flat, level faces, so all forces are
vertical. What is above a joint can be held there if and only if its common centre of mass is over
the joint: the pressure within the touching area can have any centre in it, whatever goes on at the
other joints. That area is where both faces are, and both are convex, so the centre of mass must be
over the upper face of the solid below and over the lower face of the solid above. A sphere touches
in a point: it stands on a face, and nothing stands on it. These are the two violations of
ShapeStacks (Groth et al., 2018): of the centre of mass, and of the planar surface.

Standard library and numpy only: the processes that draw scenes import this module.
"""

from collections.abc import Sequence

import numpy as np

from data.raycast.scene import Solid

VOLUME = {"box": 8.0, "cylinder": 2 * np.pi, "sphere": 4 * np.pi / 3}  # times the half extents


def mass(solid: Solid) -> float:
  """Of a solid of density 1."""
  return VOLUME[solid.shape] * float(np.prod(solid.half))


def standing_margin(tower: Sequence[Solid], joint: int) -> float:
  """How far inside the edge of the touching area the centre of mass above a joint is.

  Args:
    tower: from the lowest to the highest.
    joint: the number of the solid below it.

  Returns:
    A length, negative where the tower falls there.
  """
  above = tower[joint + 1 :]
  masses = np.array([mass(solid) for solid in above])
  places = np.array([solid.position[:2] for solid in above])
  centre = masses @ places / masses.sum()
  return min(_inside(tower[joint], centre), _inside(tower[joint + 1], centre))


def _inside(solid: Solid, place: np.ndarray) -> float:
  """How far inside the outline of an upright solid, seen from above, a place is."""
  across = solid.rotation[:2, :2].T @ (place - solid.position[:2])
  if solid.shape == "box":
    return float((np.asarray(solid.half[:2]) - np.abs(across)).min())
  return float(solid.half[0] - np.linalg.norm(across))


def falls_at(tower: Sequence[Solid]) -> int:
  """The lowest joint with a centre of mass that is not held, counted from 1; 0 for none."""
  held = [standing_margin(tower, joint) >= 0 for joint in range(len(tower) - 1)]
  return 0 if all(held) else held.index(False) + 1


def rolls_at(tower: Sequence[Solid]) -> int:
  """The lowest sphere with something on it, counted from 1; 0 for none."""
  round_ones = [solid.shape == "sphere" for solid in tower[:-1]]
  return round_ones.index(True) + 1 if any(round_ones) else 0
