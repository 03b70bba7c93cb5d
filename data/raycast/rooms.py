"""Parts of rooms: floor and walls, objects that stand on the floor, colours.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import colorsys
from collections.abc import Callable, Sequence

import numpy as np

from data.raycast.camera import Camera
from data.raycast.motion import about_z
from data.raycast.scene import Colour, Material, Solid

UPRIGHT = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # a plane facing along x
PLACES = 50  # tried for an object before all begin again, a little smaller
SHRINK = 0.95


def hsv(hue: float, saturation: float, value: float) -> Colour:
  """The RGB colour, all 0 to 1; hues go round."""
  return colorsys.hsv_to_rgb(hue % 1, saturation, value)


def distinct_hues(rng: np.random.Generator, count: int) -> np.ndarray:
  """Random hues, no two near each other, in random order, [count]."""
  around = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / max(1, count)
  return (rng.permutation(around) + rng.uniform()) % 1


def floor(material: Material, label: int) -> Solid:
  """The plane z = 0 without end."""
  return Solid("plane", (np.inf, np.inf, 0.0), (0.0, 0.0, 0.0), material, label)


def wall(angle: float, distance: float, half_width: float, height: float, material, label) -> Solid:
  """A wall on the floor, `distance` away from the origin in the direction `angle`, facing it."""
  position = (distance * np.cos(angle), distance * np.sin(angle), height / 2)
  rotation = about_z(angle) @ UPRIGHT
  return Solid("plane", (half_width, height / 2, 0.0), position, material, label, rotation)


def spread(
  rng: np.random.Generator,
  radii: Sequence[float],
  half: tuple[float, float],
  gap: float,
  inside: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, float]:
  """Places for discs so that none touch.

  Where they do not fit, all become smaller until they do.

  Args:
    rng: source of chance.
    radii: of the discs, [n].
    half: half the sides of a rectangle around the origin, for their centres.
    gap: that is left between any two.
    inside: which of some centres [m, 2] may be used, bool [m].

  Returns:
    centres [n, 2], and the factor by which the radii became smaller.
  """
  scale = 1.0
  while True:
    centres = _places(rng, scale * np.asarray(radii), half, gap, inside)
    if centres is not None:
      return centres, scale
    scale *= SHRINK


def _places(rng, radii, half, gap, inside):
  centres = np.zeros((0, 2))
  for number, radius in enumerate(radii):
    tries = rng.uniform(-1, 1, (PLACES, 2)) * half
    apart = np.linalg.norm(tries[:, None] - centres, axis=-1) - radii[:number] - radius
    free = np.flatnonzero((apart > gap).all(axis=1) & inside(tries))
    if not free.size:
      return None
    centres = np.concatenate([centres, tries[free[:1]]])
  return centres


def in_picture(camera: Camera, height: float, margin: float) -> Callable[[np.ndarray], np.ndarray]:
  """Whether points [m, 2] at some height over the floor are in a picture.

  Args:
    camera: that takes it.
    height: of the points.
    margin: left free at each edge, as a share of the picture.
  """

  def inside(places):
    points = np.stack([*places.T, np.full(len(places), height)])
    rows, columns, ahead = camera.project(points)
    across, down = columns / camera.width - 0.5, rows / camera.height - 0.5
    return (ahead > 0) & (np.maximum(np.abs(across), np.abs(down)) < 0.5 - margin)

  return inside


def standing(
  shape: str, size: float, place: Sequence[float], turn: float, material: Material, label: int
) -> Solid:
  """An object on the floor: `size` is half of what it measures, a capsule being thinner."""
  half = (size, size, size) if shape != "capsule" else (0.6 * size, 0.6 * size, 1.2 * size)
  return Solid(shape, half, (*place, half[2]), material, label, about_z(turn))


def footprint(shape: str, size: float) -> float:
  """The radius of the floor that `standing` takes up, however it is turned."""
  return {"box": np.sqrt(2) * size, "capsule": 0.6 * size}.get(shape, size)
