"""Which solid each ray from the camera meets first, and which points the light does not reach."""

from typing import NamedTuple

import numpy as np

from data.raycast.camera import Camera
from data.raycast.scene import Scene, Solid
from data.raycast.solids import SHAPES, dot

LIFT = 2e-3  # rays to the light begin this far off the surface


class Hits(NamedTuple):
  """What N rays from the camera meet."""

  start: np.ndarray  # [3, 1], the camera
  direction: np.ndarray  # unit, [3, N]
  which: np.ndarray  # number of the solid, int32 [N]; -1 is the sky
  distance: np.ndarray  # float32 [N]

  @property
  def point(self) -> np.ndarray:
    """Where they meet it, float32 [3, N]."""
    return self.start + self.distance * self.direction


def trace(scene: Scene, camera: Camera, rows: np.ndarray, columns: np.ndarray, amodal: int = 0):
  """Follows the rays through points of the picture.

  Args:
    scene: what they may meet.
    camera: where they begin.
    rows: of the points, float32 [N].
    columns: of the points, float32 [N].
    amodal: labels from 1 to this one are followed through what is in front of them.

  Returns:
    hits: see `Hits`.
    whole: bool [amodal, N], whether a ray meets label i + 1 at all.
  """
  start = np.asarray(camera.position, np.float32)[:, None]
  direction = camera.rays(rows, columns)
  distance = np.full(rows.shape, scene.far, np.float32)
  which = np.full(rows.shape, -1, np.int32)
  whole = np.zeros((amodal, *rows.shape), bool)
  for number, solid in enumerate(scene.solids):
    chosen = _inside_window(camera.window(solid), rows, columns)
    if not rows[chosen].size:
      continue
    found = _distance(solid, start, direction[:, chosen])
    if 1 <= solid.label <= amodal:
      whole[solid.label - 1, chosen] |= np.isfinite(found)
    nearer = found < distance[chosen]
    which[chosen] = np.where(nearer, number, which[chosen])
    distance[chosen] = np.where(nearer, found, distance[chosen])
  return Hits(start, direction, which, distance), whole


def _inside_window(window, rows, columns):
  """The points that may show the solid: their numbers, or a slice of all."""
  if window is None:
    return slice(None)
  top, bottom, left, right = window
  return np.flatnonzero((rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right))


def _distance(solid: Solid, start: np.ndarray, direction: np.ndarray) -> np.ndarray:
  """How far away rays meet a solid, [N]; starts [3, N] or one [3, 1] for all."""
  own_start = solid.to_own(start - solid.place())
  half = np.asarray(solid.half, np.float32)
  return SHAPES[solid.shape].distance(half, own_start, solid.to_own(direction))


def shadows(
  scene: Scene, point: np.ndarray, normal: np.ndarray, to_light: np.ndarray, which: np.ndarray
) -> np.ndarray:
  """Which points of surfaces the light does not reach, bool [N].

  Planes cast no shadows, and points that face away from the light are not in any.

  Args:
    scene: its solids are in the way.
    point: of surfaces, float32 [3, N].
    normal: there, float32 [3, N].
    to_light: unit directions to the light, float32 [3, N].
    which: numbers of the solids the points are on, [N]; a solid does not shadow itself.
  """
  dark = np.zeros(which.shape, bool)
  for number, solid in enumerate(scene.solids):
    if solid.shape == "plane":
      continue
    towards = solid.place() - point
    along = dot(towards, to_light)
    # Rays that pass the sphere around the solid; nothing is behind the light.
    beside = dot(towards, towards) - along * along
    maybe = (beside < solid.radius**2) & (along > 0) & (which != number) & ~dark
    chosen = np.flatnonzero(maybe)
    if chosen.size:
      start = point[:, chosen] + LIFT * normal[:, chosen]
      dark[chosen] = np.isfinite(_distance(solid, start, to_light[:, chosen]))
  return dark
