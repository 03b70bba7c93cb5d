"""What a picture is of: solids, what they are made of, and the light.

The world is right-handed with z upwards; lengths have no unit. Colours are RGB from 0 to 1, as they
are on the screen.
"""

import dataclasses

import numpy as np

from data.raycast.solids import SHAPES

Vector = tuple[float, float, float]
Colour = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Material:
  """How a surface looks.

  `colour` and `second` alternate as the texture says (see `textures.py`), which is drawn into the
  solid's own axes: `scale` is the width of a check, a stripe or a blob, `offset` moves it.
  """

  colour: Colour
  second: Colour = (0.0, 0.0, 0.0)
  texture: str = "flat"
  scale: float = 1.0
  offset: Vector = (0.0, 0.0, 0.0)
  highlight: float = 0.0  # strength of the light's reflection, 0 to 1
  shininess: float = 40.0  # the higher, the smaller the highlight
  mirror: float = 0.0  # share of the surroundings' reflection, 0 to 1; about 0.5 for metal


@dataclasses.dataclass(frozen=True)
class Solid:
  """One solid in its place.

  Attributes:
    shape: a name of `solids.SHAPES`.
    half: its half extents, see `solids.py`.
    position: of its centre.
    material: what it is made of.
    label: what the segmentation says where it is seen, 0 to 255; several solids may share one.
    rotation: float [3, 3]; column i is the solid's axis i in the world.
  """

  shape: str
  half: Vector
  position: Vector
  material: Material
  label: int
  rotation: np.ndarray = dataclasses.field(default_factory=lambda: np.eye(3))

  @property
  def radius(self) -> float:
    """Of the sphere around the position that holds it all."""
    return SHAPES[self.shape].radius(np.asarray(self.half, np.float64))

  def to_own(self, vectors: np.ndarray) -> np.ndarray:
    """Directions of the world in the solid's axes, float32 [3, N]."""
    return turn(self.rotation.T, vectors)

  def to_world(self, vectors: np.ndarray) -> np.ndarray:
    """Directions of the solid's axes in the world, float32 [3, N]."""
    return turn(self.rotation, vectors)

  def place(self) -> np.ndarray:
    """Its position as float32 [3, 1]."""
    return np.asarray(self.position, np.float32)[:, None]


@dataclasses.dataclass(frozen=True)
class Light:
  """A point light with hard shadows, and light from all around, more of it from above."""

  position: Vector
  strength: float = 0.75
  ambient: float = 0.45


@dataclasses.dataclass(frozen=True)
class Scene:
  """All there is to see.

  Where nothing else is, there is the sky: label `sky_label`, `far` away, fading from one colour at
  the horizon to another overhead.
  """

  solids: tuple[Solid, ...]
  light: Light
  horizon: Colour = (0.80, 0.86, 0.92)
  zenith: Colour = (0.45, 0.62, 0.85)
  sky_label: int = 0
  far: float = 100.0


def turn(matrix: np.ndarray, vectors: np.ndarray) -> np.ndarray:
  """matrix [3, 3] times vectors [3, N], float32, without a library that starts threads."""
  m = np.asarray(matrix, np.float32)
  x, y, z = vectors
  return np.stack([m[i, 0] * x + m[i, 1] * y + m[i, 2] * z for i in range(3)])
