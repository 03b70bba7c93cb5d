"""What is in a picture of a grey room full of small objects.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from typing import Any

import numpy as np

from data.building.generated import source_of_chance
from data.raycast import rooms, stills
from data.raycast.camera import Camera, look_at
from data.raycast.scene import Light, Material, Scene, Solid

SHAPES = ("box", "sphere", "cylinder")
ROOM = 3.2  # half a side
HEIGHT = 3.0  # of the walls
AREA = (1.9, 1.9)  # objects are in this half rectangle
CAMERA_RADIUS, CAMERA_HEIGHT = (2.9, 3.1), (2.0, 2.6)
FIELD_OF_VIEW = np.deg2rad(62)
SIZE = (0.14, 0.25)  # half of an object's
HUES = 8  # objects take one of these colours


@dataclasses.dataclass(frozen=True)
class Options(stills.StillOptions):
  """What a set is made of; the config's name spells it."""

  size: int = 128
  min_objects: int = 4
  max_objects: int = 8
  train: int = 20_000
  validation: int = 2_000
  test: int = 2_000


def draw(options: Options, split: str, index: int) -> dict[str, Any]:
  """Scene `index` of `split` as it is stored, without its key."""
  scene, camera, objects = compose(options, source_of_chance(options.seed, split, index))
  return stills.example(scene, camera, objects, options.max_objects, options)


def compose(options: Options, rng: np.random.Generator) -> tuple[Scene, Camera, list[Solid]]:
  """A room, a camera in it, and the objects on its floor; all but these have label 0."""
  angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(*CAMERA_RADIUS)
  camera = look_at(
    (radius * np.cos(angle), radius * np.sin(angle), rng.uniform(*CAMERA_HEIGHT)),
    (0.0, 0.0, 0.15),
    FIELD_OF_VIEW,
    options.size,
    options.size,
  )
  floor, wall = (Material((grey, grey, 1.03 * grey)) for grey in rng.uniform(0.55, 0.8, 2))
  sides = [rooms.wall(side * np.pi / 2, ROOM, ROOM, HEIGHT, wall, 0) for side in range(4)]
  objects = _objects(int(rng.integers(options.min_objects, options.max_objects + 1)), camera, rng)
  light = Light((*rng.uniform(-1.5, 1.5, 2), rng.uniform(3.5, 4.5)), strength=0.7, ambient=0.5)
  return Scene((rooms.floor(floor, 0), *sides, *objects), light), camera, objects


def _objects(count: int, camera: Camera, rng: np.random.Generator) -> list[Solid]:
  shapes = rng.choice(SHAPES, count).tolist()
  sizes = rng.uniform(*SIZE, count)
  radii = [rooms.footprint(shape, size) for shape, size in zip(shapes, sizes, strict=True)]
  seen = rooms.in_picture(camera, SIZE[0], margin=0.05)
  places, scale = rooms.spread(rng, radii, AREA, 0.02, seen)
  colours = rng.integers(HUES, size=count)
  objects = []
  for number, shape in enumerate(shapes):
    material = Material(rooms.hsv(colours[number] / HUES, 0.8, 0.85), highlight=0.4)
    yaw = rng.uniform(0, 2 * np.pi)
    size = scale * sizes[number]
    objects.append(rooms.standing(shape, size, tuple(places[number]), yaw, material, number + 1))
  return objects
