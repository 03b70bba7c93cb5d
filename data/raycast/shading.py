"""The colour of surfaces: texture, matte and glossy light, shadows, what metal reflects.

Lambert's and Blinn's terms. Light is added up in proportion to its power, of which colours on the
screen are about the square root.
"""

import numpy as np

from data.raycast.scene import Colour, Scene, Solid
from data.raycast.solids import SHAPES, dot, unit
from data.raycast.textures import TEXTURES
from data.raycast.tracing import Hits, shadows


def shade(scene: Scene, hits: Hits) -> np.ndarray:
  """The colours that rays end at, float32 [3, N], 0 to 1."""
  light = sky(scene, hits.direction)
  surface = np.flatnonzero(hits.which >= 0)
  if surface.size:
    direction, which = hits.direction[:, surface], hits.which[surface]
    part = Hits(hits.start, direction, which, hits.distance[surface])
    light[:, surface] = _surface_light(scene, part)
  return np.sqrt(np.clip(light, 0, 1))


def sky(scene: Scene, direction: np.ndarray) -> np.ndarray:
  """Light of the sky from unit directions [3, N], float32 [3, N]."""
  height = np.sqrt(np.clip(direction[2], 0, 1))
  return _power(scene.horizon) * (1 - height) + _power(scene.zenith) * height


def _power(colour: Colour) -> np.ndarray:
  """A screen colour as light, float32 [3, 1]."""
  return (np.asarray(colour, np.float32) ** 2)[:, None]


def _surface_light(scene: Scene, hits: Hits) -> np.ndarray:
  """The light from surfaces to the camera, float32 [3, N]."""
  point = hits.point
  normal, colour = np.empty_like(point), np.empty_like(point)
  for number in np.unique(hits.which):
    chosen = np.flatnonzero(hits.which == number)
    solid = scene.solids[number]
    normal[:, chosen], colour[:, chosen] = _surface(solid, point[:, chosen])
  normal = np.where(dot(normal, hits.direction) > 0, -normal, normal)  # planes from behind
  materials = [solid.material for solid in scene.solids]
  highlight, shininess, mirror = (
    np.array([getattr(m, name) for m in materials], np.float32)[hits.which]
    for name in ("highlight", "shininess", "mirror")
  )

  to_light = unit(np.asarray(scene.light.position, np.float32)[:, None] - point)
  facing = np.maximum(dot(normal, to_light), 0)
  lit = np.flatnonzero(facing > 0)
  dark = shadows(scene, point[:, lit], normal[:, lit], to_light[:, lit], hits.which[lit])
  reach = np.zeros_like(facing)
  reach[lit] = np.float32(scene.light.strength) * ~dark

  around = np.float32(scene.light.ambient) * (np.float32(0.75) + np.float32(0.25) * normal[2])
  half_way = unit(to_light - hits.direction)
  gloss = highlight * np.maximum(dot(normal, half_way), 0) ** shininess
  light = colour * ((around + reach * facing) * (1 - mirror)) + reach * gloss
  metal = np.flatnonzero(mirror > 0)
  if metal.size:
    direction, outward = hits.direction[:, metal], normal[:, metal]
    reflected = direction - 2 * dot(direction, outward) * outward
    light[:, metal] += mirror[metal] * colour[:, metal] * _surroundings(scene, reflected)
  return light


def _surface(solid: Solid, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Normals in the world and colours (as light) of points of one solid, float32 [3, N] each."""
  own = solid.to_own(point - solid.place())
  normal = SHAPES[solid.shape].normal(np.asarray(solid.half, np.float32), own)
  material = solid.material
  place = (own + np.asarray(material.offset, np.float32)[:, None]) / np.float32(material.scale)
  second = TEXTURES[material.texture](place)
  colour = _power(material.colour) * (1 - second) + _power(material.second) * second
  return solid.to_world(normal), colour


def _surroundings(scene: Scene, direction: np.ndarray) -> np.ndarray:
  """What a mirror sees: the sky, or grey ground under a soft horizon, float32 [3, N]."""
  ground = np.float32(0.12)
  above = np.clip(np.float32(0.5) + 3 * direction[2], 0, 1)
  return np.float32(1.6) * (sky(scene, direction) * above + ground * (1 - above))
