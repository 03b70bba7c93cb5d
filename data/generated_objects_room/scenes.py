"""What is in a picture of an objects room.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from typing import Any

import numpy as np

from data.building.generated import source_of_chance
from data.raycast import rooms, stills
from data.raycast.camera import Camera, look_at
from data.raycast.motion import about_z
from data.raycast.scene import Light, Material, Scene, Solid

SKY, FLOOR, WALL, OTHER_WALL = range(4)  # labels of the background, as in the public set
FIRST_OBJECT = 4
# Fewest and most objects. The name of the variant with which models are trained is empty.
OBJECTS = {"": (1, 3), "six_objects": (4, 6), "identical_color": (4, 6), "empty_room": (0, 0)}

ROOM = 4.0  # half a side
HEIGHT = 2.0  # of the walls
AREA = (1.6, 1.6)  # objects are in this half rectangle
AHEAD = 0.6  # by which it is beyond the middle of the room
CAMERA_RADIUS, CAMERA_HEIGHT, FIELD_OF_VIEW = 2.6, 1.6, np.pi / 3
TARGET_BEYOND, TARGET_HEIGHT = 0.8, 0.3
SIZE = (0.25, 0.5)  # half of an object's


@dataclasses.dataclass(frozen=True)
class Options(stills.StillOptions):
  """What a set is made of; the config's name spells it."""

  variant: str = ""

  @property
  def max_objects(self) -> int:
    """The most objects of a scene."""
    return OBJECTS[self.variant][1]


def draw(options: Options, split: str, index: int) -> dict[str, Any]:
  """Scene `index` of `split` as it is stored, without its key."""
  scene, camera, objects = compose(options, source_of_chance(options.seed, split, index))
  return stills.example(scene, camera, objects, options.max_objects, options)


def compose(options: Options, rng: np.random.Generator) -> tuple[Scene, Camera, list[Solid]]:
  """A room, a camera in it, and the room's objects."""
  angle = rng.uniform(0, 2 * np.pi)  # of the camera, around the room
  x, y = np.cos(angle), np.sin(angle)
  camera = look_at(
    (CAMERA_RADIUS * x, CAMERA_RADIUS * y, CAMERA_HEIGHT),
    (-TARGET_BEYOND * x, -TARGET_BEYOND * y, TARGET_HEIGHT),
    FIELD_OF_VIEW,
    options.size,
    options.size,
  )
  objects = _objects(options.variant, camera, angle, rng)
  beside = angle + rng.uniform(-1, 1)
  light = Light((2 * np.cos(beside), 2 * np.sin(beside), rng.uniform(3.5, 5)))
  return Scene((*_room(rng), *objects), light, sky_label=SKY), camera, objects


def _room(rng: np.random.Generator) -> list[Solid]:
  hues = rng.uniform(size=3)
  floor, *walls = (
    Material(rooms.hsv(hue, rng.uniform(0.45, 0.7), rng.uniform(0.75, 0.9))) for hue in hues
  )
  sides = [
    rooms.wall(side * np.pi / 2, ROOM, ROOM, HEIGHT, walls[side % 2], (WALL, OTHER_WALL)[side % 2])
    for side in range(4)
  ]
  return [rooms.floor(floor, FLOOR), *sides]


def _objects(variant: str, camera: Camera, angle: float, rng: np.random.Generator) -> list[Solid]:
  least, most = OBJECTS[variant]
  count = int(rng.integers(least, most + 1))
  shapes = rng.choice(stills.SHAPES, count).tolist()
  sizes = rng.uniform(*SIZE, count)
  radii = [rooms.footprint(shape, size) for shape, size in zip(shapes, sizes, strict=True)]
  turn = about_z(angle + np.pi)[:2, :2].T  # rows: away from the camera, and to its left
  seen = rooms.in_picture(camera, SIZE[0], margin=0.08)
  places, scale = rooms.spread(
    rng, radii, AREA, 0.05, inside=lambda places: seen((places + (AHEAD, 0)) @ turn)
  )
  hues = rooms.distinct_hues(rng, count)
  if variant == "identical_color":
    hues[:] = hues[:1]
  objects = []
  for number, (shape, place) in enumerate(zip(shapes, (places + (AHEAD, 0)) @ turn, strict=True)):
    material = Material(rooms.hsv(hues[number], 0.85, 0.9), highlight=0.35)
    yaw = rng.uniform(0, 2 * np.pi)
    label = FIRST_OBJECT + number
    objects.append(rooms.standing(shape, scale * sizes[number], tuple(place), yaw, material, label))
  return objects
