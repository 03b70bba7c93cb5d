"""How solids turn, and where what a picture shows is in another frame.

Quaternions are (w, x, y, z) of unit length, rotation matrices [3, 3] take a solid's axes to the
world's.
"""

import numpy as np

from data.raycast.camera import Camera
from data.raycast.render import Picture
from data.raycast.scene import Scene


def matrix(quaternion: np.ndarray) -> np.ndarray:
  """The rotation matrices of quaternions [..., 4], [..., 3, 3]."""
  w, x, y, z = (np.asarray(quaternion, np.float64)[..., i] for i in range(4))
  entries = [
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
  ]  # fmt: skip
  return np.stack(entries, axis=-1).reshape(*w.shape, 3, 3)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """The quaternions [..., 4] that turn by b and then by a."""
  aw, ax, ay, az = (a[..., i] for i in range(4))
  bw, bx, by, bz = (b[..., i] for i in range(4))
  return np.stack(
    [
      aw * bw - ax * bx - ay * by - az * bz,
      aw * bx + ax * bw + ay * bz - az * by,
      aw * by - ax * bz + ay * bw + az * bx,
      aw * bz + ax * by - ay * bx + az * bw,
    ],
    axis=-1,
  )


def random_quaternion(rng: np.random.Generator) -> np.ndarray:
  """A uniformly random rotation, [4]."""
  values = rng.normal(size=4)
  return values / np.linalg.norm(values)


def about_z(angle: float) -> np.ndarray:
  """The rotation matrix by `angle` radians about the vertical, x towards y."""
  cosine, sine = np.cos(angle), np.sin(angle)
  return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def quaternion_of(rotation: np.ndarray) -> np.ndarray:
  """The quaternion [4] with w >= 0 of a rotation matrix [3, 3]."""
  m = np.asarray(rotation, np.float64)
  # Each row is 4 times one component times all of them; the largest is the most exact.
  rows = np.array(
    [
      [1 + m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
      [m[2, 1] - m[1, 2], 1 + m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
      [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], 1 - m[0, 0] + m[1, 1] - m[2, 2], m[1, 2] + m[2, 1]],
      [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], 1 - m[0, 0] - m[1, 1] + m[2, 2]],
    ]
  )
  row = rows[np.argmax(np.diag(rows))]
  return row / np.linalg.norm(row) * (1 if row[0] >= 0 else -1)


def flow(picture: Picture, scene: Scene, camera: Camera, other: Scene, other_camera: Camera):
  """How far what each pixel shows moves in the picture until another frame.

  The motion of the solid the pixel shows, whether or not that can be seen in the other frame.

  Args:
    picture: of `scene` through `camera`.
    scene: what the frame shows.
    camera: of the frame.
    other: the same solids, in the same order, in another frame.
    other_camera: of that frame; its picture has the same size.

  Returns:
    float32 [H, W, 2], rows and columns.
  """
  hits = picture.hits
  point = hits.point.astype(np.float64)
  moved = point.copy()
  for number in np.unique(hits.which[hits.which >= 0]):
    now, then = scene.solids[number], other.solids[number]
    if now is then:
      continue
    chosen = np.flatnonzero(hits.which == number)
    own = now.rotation.T @ (point[:, chosen] - np.asarray(now.position)[:, None])
    moved[:, chosen] = then.rotation @ own + np.asarray(then.position)[:, None]
  before, after = camera.project(point), other_camera.project(moved)
  steps = np.stack([after[0] - before[0], after[1] - before[1]], axis=-1)
  return steps.astype(np.float32).reshape(camera.height, camera.width, 2)
