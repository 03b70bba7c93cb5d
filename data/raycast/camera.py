"""A pinhole camera: rays through the picture, and where points of the world are in it."""

import dataclasses

import numpy as np

from data.raycast.scene import Solid, Vector, turn
from data.raycast.solids import unit

NEAR = 1e-3  # what is less far ahead has no place in the picture


@dataclasses.dataclass(frozen=True)
class Camera:
  """A camera and its picture. Rows and columns are continuous: pixel i reaches from i to i + 1.

  Attributes:
    position: of its centre.
    axes: float [3, 3], rows: to the right of the picture, downwards in it, ahead.
    focal: focal length in pixels.
    height, width: of the picture, in pixels.
  """

  position: Vector
  axes: np.ndarray
  focal: float
  height: int
  width: int

  def rays(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Unit directions through points of the picture, [N] each -> float32 [3, N]."""
    across = (np.asarray(columns, np.float32) - np.float32(self.width / 2)) / self.focal
    down = (np.asarray(rows, np.float32) - np.float32(self.height / 2)) / self.focal
    ahead = np.ones_like(across)
    return unit(turn(self.axes.T, np.stack([across, down, ahead]).astype(np.float32)))

  def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and z (distance along the camera's axis), [N] each, of points [3, N].

    Points less than NEAR ahead are treated as if they were so far ahead.
    """
    seen = self.axes @ (points - np.asarray(self.position, np.float64)[:, None])
    ahead = np.maximum(seen[2], NEAR)
    rows = self.height / 2 + self.focal * seen[1] / ahead
    columns = self.width / 2 + self.focal * seen[0] / ahead
    return rows, columns, seen[2]

  def pixel_centres(self) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the centres of all pixels, row by row, float32 [height * width]."""
    rows, columns = np.mgrid[: self.height, : self.width].astype(np.float32) + np.float32(0.5)
    return rows.ravel(), columns.ravel()

  def window(self, solid: Solid) -> tuple[float, float, float, float] | None:
    """First and last row, first and last column between which the solid is; None: anywhere."""
    half = np.asarray(solid.half, np.float64)
    if not np.isfinite(half).all():
      return None
    corners = half[:, None] * _CORNERS
    if solid.shape == "sphere":  # a box along the camera's axes is tighter
      reach = np.sqrt(((self.axes @ solid.rotation * half) ** 2).sum(axis=1))
      corners = self.axes.T @ (reach[:, None] * _CORNERS)
    else:
      corners = solid.rotation @ corners
    rows, columns, ahead = self.project(corners + np.asarray(solid.position)[:, None])
    if ahead.min() <= NEAR:
      return None
    return rows.min(), rows.max(), columns.min(), columns.max()


_CORNERS = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8)


def look_at(
  position: Vector,
  target: Vector,
  field_of_view: float,
  height: int,
  width: int,
  up: Vector = (0.0, 0.0, 1.0),
) -> Camera:
  """A camera that has `target` in the middle of its picture.

  Args:
    position: of the camera.
    target: another point; not straight above or below the camera, seen along `up`.
    field_of_view: angle between the left and the right edge, in radians.
    height: of the picture, in pixels.
    width: of the picture, in pixels.
    up: what is upwards in the picture.
  """
  ahead = np.subtract(target, position).astype(np.float64)
  ahead /= np.linalg.norm(ahead)
  right = np.cross(ahead, up)
  right /= np.linalg.norm(right)
  axes = np.stack([right, np.cross(ahead, right), ahead])
  return Camera(tuple(position), axes, width / 2 / np.tan(field_of_view / 2), height, width)
