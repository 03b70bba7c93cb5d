"""What is in a clip of falling and colliding solids, after MOVi-A of Kubric.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from data.building.generated import Splits, source_of_chance
from data.generated_movi.physics import Body, Floor, Motion
from data.raycast.camera import Camera, look_at
from data.raycast.motion import matrix, random_quaternion
from data.raycast.rooms import hsv
from data.raycast.scene import Light, Material, Scene, Solid

SHAPES = ("box", "cylinder", "sphere")
SIZES = (0.7, 1.4)  # what objects measure
MOST_LARGE = 4  # more of twice the size may find no place apart from each other
COLOURS = (
  (87, 87, 87), (173, 35, 35), (42, 75, 215), (29, 105, 20),
  (129, 74, 25), (129, 38, 192), (41, 208, 208), (255, 238, 51),
)  # fmt: skip
FRAME_TIME = 1 / 12  # seconds
FLOOR = Floor(friction=0.3, restitution=0.5)
ATTEMPTS = 10_000  # to find places, before all are sought anew
SPAWN = ((-5.0, -5.0, 1.0), (5.0, 5.0, 5.0))  # where objects begin
SPEED = (4.0, 4.0, 0.0)  # most of it, besides what takes them to the middle
GAP = 0.02  # between objects at first
FIELD_OF_VIEW = 0.8576  # radians
CAMERA = (7.48113, -6.50764, 5.34367)
CAMERA_SHELL, MOVING_CAMERA_SHELL = (7.0, 9.0), (8.0, 12.0)  # distances from the middle
LOWEST_CAMERA = 0.2  # its height as a share of its distance, at least
CAMERA_PATH = 4.0  # most that a camera moves
CAMERAS = ("random_camera", "moving_camera")


class Stuff(NamedTuple):
  """What an object is made of."""

  name: str
  density: float
  friction: float
  restitution: float
  looks: dict[str, float]


STUFFS = (
  Stuff("rubber", 1.1, 0.8, 0.7, {"highlight": 0.12, "shininess": 12.0}),
  Stuff("metal", 2.7, 0.4, 0.3, {"highlight": 0.8, "shininess": 90.0, "mirror": 0.5}),
)
VOLUMES = {"box": 1.0, "cylinder": np.pi / 4, "sphere": np.pi / 6}  # times the size cubed


@dataclasses.dataclass(frozen=True)
class Options(Splits):
  """What a set is made of; the config's name spells it."""

  size: int = 128  # pixels of a side
  min_objects: int = 3
  max_objects: int = 10
  large: bool = False  # objects of twice the size, MOST_LARGE at most
  camera: str = ""  # fixed but for a small random shift, or one of CAMERAS
  frames: int = 24
  mujoco: bool = False  # MuJoCo's physics instead of the built-in
  opengl: bool = False  # MuJoCo's pictures instead of the ray caster's
  samples: int = 2  # rays along a side of a pixel where there is an edge
  depth: bool = False
  flow: bool = False
  train: int = 5_000
  validation: int = 500
  test: int = 500


class Objects(NamedTuple):
  """The objects of a clip, N, and how they begin."""

  shape: np.ndarray  # numbers of SHAPES, [N]
  size: np.ndarray  # [N]
  colour: np.ndarray  # numbers of COLOURS, [N]
  stuff: np.ndarray  # numbers of STUFFS, [N]
  start: Motion

  def bodies(self) -> list[Body]:
    """What matters for how they move."""
    made = []
    for shape, size, number in zip(self.shape, self.size, self.stuff, strict=True):
      name, stuff = SHAPES[shape], STUFFS[number]
      mass = stuff.density * VOLUMES[name] * size**3
      made.append(Body(name, (size / 2,) * 3, mass, stuff.friction, stuff.restitution))
    return made

  def materials(self) -> list[Material]:
    """How they look."""
    pairs = zip(self.colour, self.stuff, strict=True)
    return [
      Material(tuple(np.divide(COLOURS[colour], 255)), **STUFFS[stuff].looks)
      for colour, stuff in pairs
    ]


class Clip(NamedTuple):
  """All there is of a clip before it moves."""

  objects: Objects
  cameras: list[Camera]  # one a frame
  background: Scene  # without the objects


def clip(options: Options, split: str, index: int) -> Clip:
  """Clip `index` of `split`."""
  rng = source_of_chance(options.seed, split, index)
  return Clip(
    _objects(int(rng.integers(options.min_objects, options.max_objects + 1)), options.large, rng),
    _cameras(options, rng),
    _background(options.camera, rng),
  )


def _objects(count: int, large: bool, rng: np.random.Generator) -> Objects:
  shape = rng.integers(len(SHAPES), size=count)
  size = rng.choice(SIZES, count) * (1 + large)
  # Of a sphere that holds the object however it is turned.
  reach = size / 2 * np.array([np.sqrt(3), np.sqrt(2), 1.0])[shape]
  position = _apart(reach, rng)
  velocity = rng.uniform(-1, 1, (count, 3)) * SPEED
  velocity[:, :2] -= position[:, :2]
  quaternion = np.stack([random_quaternion(rng) for _ in range(count)])
  start = Motion(position, quaternion, velocity, np.zeros((count, 3)))
  colour, stuff = rng.integers(len(COLOURS), size=count), rng.integers(len(STUFFS), size=count)
  return Objects(shape, size, colour, stuff, start)


def _apart(reach: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Places for balls of these radii, above the floor and apart, [N, 3]."""
  places, attempts = np.zeros((0, 3)), 0
  while len(places) < len(reach):
    attempts += 1
    if attempts % ATTEMPTS == 0:  # the first ones may leave no room
      places = places[:0]
    number = len(places)
    place = rng.uniform(*SPAWN)
    apart = np.linalg.norm(places - place, axis=1) - reach[:number] - reach[number]
    if (apart > GAP).all() and place[2] > reach[number]:
      places = np.concatenate([places, place[None]])
  return places


def _cameras(options: Options, rng: np.random.Generator) -> list[Camera]:
  if options.camera == "":
    first = last = CAMERA + rng.uniform(size=3)
  elif options.camera == "random_camera":
    first = last = _in_shell(CAMERA_SHELL, rng)
  else:
    first = _in_shell(MOVING_CAMERA_SHELL, rng)
    last = _in_shell(MOVING_CAMERA_SHELL, rng)
    way = last - first
    last = first + way * min(1.0, rng.uniform(0, CAMERA_PATH) / np.linalg.norm(way))
  shares = np.arange(options.frames) / max(1, options.frames - 1)
  places = [first + share * (last - first) for share in shares]
  return [
    look_at(tuple(place), (0.0, 0.0, 0.0), FIELD_OF_VIEW, options.size, options.size)
    for place in places
  ]


def _in_shell(distances: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
  """A random place between two spheres around the middle, above the floor, [3]."""
  while True:
    place = rng.uniform(-distances[1], distances[1], 3)
    distance = np.linalg.norm(place)
    low = place[2] < LOWEST_CAMERA * distance
    if distances[0] <= distance <= distances[1] and not low and place[2] < 0.95 * distance:
      return place


def _background(camera: str, rng: np.random.Generator) -> Scene:
  colour = (0.56, 0.56, 0.57) if camera == "" else hsv(rng.uniform(), rng.uniform(0.1, 0.4), 0.6)
  floor = Solid("plane", (np.inf, np.inf, 0.0), (0.0, 0.0, 0.0), Material(colour), label=0)
  light = Light((*(rng.uniform(size=2) * 4 - (4, 8)), rng.uniform(9, 12)), 0.8, 0.48)
  return Scene((floor,), light, horizon=(0.75, 0.76, 0.78), zenith=(0.62, 0.66, 0.72))


def frame_scene(clip: Clip, motion: Motion, frame: int) -> Scene:
  """The scene of one frame; object n, counted from 0, has label n + 1."""
  rotations = matrix(motion.quaternion[frame])
  bodies, materials = clip.objects.bodies(), clip.objects.materials()
  solids = [
    Solid(body.shape, body.half, tuple(place), material, number + 1, rotation)
    for number, (body, material, place, rotation) in enumerate(
      zip(bodies, materials, motion.position[frame], rotations, strict=True)
    )
  ]
  return dataclasses.replace(clip.background, solids=(*clip.background.solids, *solids))
