"""What is in a picture of a block tower.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from typing import Any

import numpy as np

from data.building.generated import source_of_chance
from data.generated_shapestacks.stability import falls_at, rolls_at, standing_margin
from data.raycast import rooms, stills
from data.raycast.camera import Camera, look_at
from data.raycast.motion import about_z
from data.raycast.scene import Light, Material, Scene, Solid

SHAPES = ("box", "cylinder", "sphere")
MAX_OBJECTS = 6
STABLE, UNSTABLE = 0, 1  # labels, as in the published set
VIOLATIONS = ("centre of mass", "planar surface")
MARGIN = 0.03  # no centre of mass is nearer than this to where towers begin to fall
HALF = (0.22, 0.38)  # half of what a solid measures
OFFSET = 0.15  # most of a solid from the one below, along x and along y
BEYOND = (MARGIN, 0.12)  # how far over the edge the centre of mass is in towers that fall
PUSH = 0.01  # by which they are pushed until it is
# Saturated, told apart easily, as the published towers' are.
COLOURS = [rooms.hsv(hue, 0.85, 0.9) for hue in (0.0, 0.09, 0.15, 0.33, 0.5, 0.6, 0.78, 0.9)]
FIELD_OF_VIEW = np.deg2rad(44)
CAMERA_NEAREST, CAMERA_HEIGHT = 4.2, (1.6, 2.6)
MARGIN_ABOVE = 0.3  # of the tower, in the picture
WALL_DISTANCE = 3.2


@dataclasses.dataclass(frozen=True)
class Options(stills.StillOptions):
  """What a set is made of; the config's name spells it."""

  min_objects: int = 2
  max_objects: int = MAX_OBJECTS
  blocks: bool = False  # boxes only
  train: int = 20_000
  validation: int = 2_000
  test: int = 2_000


def draw(options: Options, split: str, index: int) -> dict[str, Any]:
  """Scene `index` of `split` as it is stored, without its key."""
  rng = source_of_chance(options.seed, split, index)
  tower = tower_of(options, rng)
  scene, camera = surroundings(tower, options.size, rng)
  stored = stills.example(scene, camera, tower, options.max_objects, options)
  falls, rolls = falls_at(tower), rolls_at(tower)
  stored["label"] = UNSTABLE if falls or rolls else STABLE
  stored["factors"] |= {"centre_of_mass_violation": falls, "planar_surface_violation": rolls}
  return stored


def tower_of(options: Options, rng: np.random.Generator) -> list[Solid]:
  """A tower from the lowest solid to the highest; every second one stands.

  Towers that fall have one violation, and never by a hair's breadth.
  """
  count = int(rng.integers(options.min_objects, options.max_objects + 1))
  violations = VIOLATIONS[: 1 if options.blocks or count < 2 else 2]
  wanted = rng.choice(violations) if count > 1 and rng.uniform() < 0.5 else None
  while True:
    tower = _any_tower(count, options.blocks, wanted == "planar surface", rng)
    if wanted == "centre of mass":
      # A sphere that is pushed over the edge would touch nothing.
      joints = [joint for joint in range(count - 1) if tower[joint + 1].shape != "sphere"]
      if not joints:
        continue
      tower = _pushed(tower, int(rng.choice(joints)), rng)
    margins = np.array([standing_margin(tower, joint) for joint in range(count - 1)])
    falls = int((margins < 0).sum())
    clear = (np.abs(margins) >= MARGIN).all()
    if clear and falls == (wanted == "centre of mass"):
      return tower


def _any_tower(count: int, blocks: bool, roll: bool, rng: np.random.Generator) -> list[Solid]:
  """A tower that may fall; with a sphere under another solid if it is to roll."""
  shapes = rng.choice(["box"] if blocks else SHAPES[:2], count).tolist()
  if roll:
    shapes[rng.integers(count - 1)] = "sphere"
  elif not blocks and rng.uniform() < 0.3:
    shapes[-1] = "sphere"
  colours = rng.permutation(len(COLOURS))
  tower, height, place = [], 0.0, np.zeros(2)
  for number, shape in enumerate(shapes):
    half = _half_extents(shape, rng)
    turn = about_z(rng.uniform(0, 2 * np.pi))
    material = Material(COLOURS[colours[number]], highlight=0.2, shininess=30)
    tower.append(Solid(shape, half, (*place, height + half[2]), material, number + 1, turn))
    height += 2 * half[2]
    place = place + rng.uniform(-OFFSET, OFFSET, 2)
  return tower


def _pushed(tower: list[Solid], joint: int, rng: np.random.Generator) -> list[Solid]:
  """The tower with all above a joint moved aside until it falls there."""
  angle, beyond = rng.uniform(0, 2 * np.pi), rng.uniform(*BEYOND)
  step = PUSH * np.array([np.cos(angle), np.sin(angle), 0.0])
  while standing_margin(tower, joint) > -beyond:
    tower = tower[: joint + 1] + [
      dataclasses.replace(solid, position=tuple(solid.position + step))
      for solid in tower[joint + 1 :]
    ]
  return tower


def _half_extents(shape: str, rng: np.random.Generator) -> tuple[float, float, float]:
  wide, deep, high = rng.uniform(*HALF, 3)
  if shape == "box":
    return (wide, deep, high)
  return (wide, wide, wide if shape == "sphere" else high)


def surroundings(tower: list[Solid], size: int, rng: np.random.Generator) -> tuple[Scene, Camera]:
  """A tower between two walls on a floor, all textured, and a camera that has it all in view."""
  height = tower[-1].position[2] + tower[-1].half[2]
  angle = rng.uniform(np.deg2rad(15), np.deg2rad(75))
  whole = (height / 2 + MARGIN_ABOVE) / np.tan(FIELD_OF_VIEW / 2) + HALF[1]
  distance = max(CAMERA_NEAREST, whole) * rng.uniform(1.0, 1.15)
  x, y = -distance * np.cos(angle), -distance * np.sin(angle)
  position = (x, y, rng.uniform(*CAMERA_HEIGHT))
  camera = look_at(position, (0.0, 0.0, height / 2), FIELD_OF_VIEW, size, size)
  walls = [
    rooms.wall(side * np.pi / 2, WALL_DISTANCE, 4 * WALL_DISTANCE, 12.0, _surface(rng), 0)
    for side in (0, 1)
  ]
  floor = rooms.floor(_surface(rng), 0)
  beside = angle + np.pi + rng.uniform(-0.9, 0.9)
  light = Light((4 * np.cos(beside), 4 * np.sin(beside), rng.uniform(4, 6)))
  return Scene((floor, *walls, *tower), light), camera


def _surface(rng: np.random.Generator) -> Material:
  """A quiet two-coloured surface."""
  hue, value = rng.uniform(), rng.uniform(0.45, 0.8)
  saturation, other_saturation = rng.uniform(0.1, 0.45, 2)
  other_hue, other_value = hue + rng.uniform(-0.08, 0.08), value + rng.uniform(0.1, 0.2)
  return Material(
    rooms.hsv(hue, saturation, value),
    rooms.hsv(other_hue, other_saturation, other_value),
    str(rng.choice(["checks", "stripes", "noise"])),
    scale=rng.uniform(0.35, 0.9),
    offset=tuple(rng.uniform(0, 1, 3)),
  )
