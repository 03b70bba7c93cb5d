"""Objects that do not exist, and views of them among others.

An object is a union of simple solids in its own colours and pattern. A view shows it on a patterned
floor before patterned walls, from anywhere around, turned anyhow, with other objects of the set
about it that may hide it in part. Names are those of the published folders.

Standard library and numpy only: the processes that draw views import this module.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from data.building.generated import SPLITS, Splits
from data.building.object_views import object_count
from data.building.png import encode_png
from data.raycast import rooms
from data.raycast.camera import Camera, look_at
from data.raycast.motion import about_z
from data.raycast.render import render
from data.raycast.scene import Light, Material, Scene, Solid

PARTS = (2, 4)  # solids of an object, at least and at most
SHAPES = ("box", "sphere", "cylinder", "capsule")
PATTERNS = ("stripes", "checks", "noise")
REACH = (0.16, 0.34)  # half of what a part measures
MOST_DISTRACTORS = 5
AREA = (1.7, 1.7)  # the middles of distractors are in this half rectangle around the object
ROOM, HEIGHT = 5.0, 5.0  # half a side, and the height of the walls
DISTANCE = (2.6, 4.4)  # from the camera to the object
ELEVATION = (np.deg2rad(12), np.deg2rad(60))
FIELD_OF_VIEW = np.deg2rad(36)
LEAST_SEEN = 0.006  # of the picture's pixels; a view that shows less is drawn again
SCENE = "Generated"


@dataclasses.dataclass(frozen=True)
class Options(Splits):
  """What a set is made of; the config's name spells it. Splits count the views of one object."""

  size: int = 256  # pixels of a side
  objects: int = 12
  train: int = 60
  validation: int = 6
  test: int = 6


class Task(NamedTuple):
  """A view to draw."""

  options: Options
  split: str
  object_id: int
  index: int  # among the views of the object in the split

  @property
  def number(self) -> int:
    """Among all views of the object."""
    splits = SPLITS[: SPLITS.index(self.split)]
    return self.index + sum(self.options.count(split) for split in splits)


def object_name(object_id: int) -> str:
  """What the folder of an object is called."""
  return f"data_{SCENE}_Object{object_id:03d}"


def key(task: Task) -> str:
  """The key of a view: its object's folder and its file without suffix."""
  name = f"{SCENE}_seed_{task.options.seed:04d}_num_{task.number:06d}"
  return f"{object_name(task.object_id)}/{name}"


def draw(task: Task) -> dict[str, Any]:
  """A view as it is stored: the mask shows what can be seen of the object."""
  options = task.options
  rng = np.random.default_rng(
    [options.seed, 1, SPLITS.index(task.split), task.object_id, task.index]
  )
  seen = 0.0
  while seen < LEAST_SEEN:
    scene, camera = compose(options, task.object_id, rng)
    picture = render(scene, camera, samples=2)
    seen = picture.segmentation.mean()
  return {
    "image": encode_png(picture.image),
    "segmentation": encode_png(picture.segmentation),
    "num_objects": object_count(picture.segmentation),
    "metadata": {
      "key": key(task),
      "object_id": task.object_id,
      "object_name": object_name(task.object_id),
      "frame": task.number,
      "mask_filter": "bicubic",  # as for the published masks, which are grey
    },
  }


def parts(options: Options, object_id: int) -> list[Solid]:
  """The solids of an object around the origin of the floor, all with label 1."""
  rng = np.random.default_rng([options.seed, 0, object_id])
  hue = rooms.distinct_hues(np.random.default_rng([options.seed, 0]), options.objects)[object_id]
  solids, top = [], np.zeros(2)
  for _ in range(rng.integers(PARTS[0], PARTS[1] + 1)):
    shape = SHAPES[rng.integers(len(SHAPES))]
    half = _half(shape, rng.uniform(*REACH, 3))
    # On the floor beside the last part, or on its upper half: the parts hold together.
    raised = rng.uniform() < 0.5 and solids
    away = rng.uniform(0, 2 * np.pi)
    step = 0.0 if not solids else (0.3 if raised else 0.8) * solids[-1].half[0]
    top = top + step * np.array([np.cos(away), np.sin(away)])
    z = half[2] + (solids[-1].position[2] if raised else 0.0)
    rotation = about_z(rng.uniform(0, 2 * np.pi))
    solids.append(Solid(shape, half, (*top, z), _pattern(rng, hue), 1, rotation))
  middle = np.mean([solid.position[:2] for solid in solids], axis=0)
  return [_moved(solid, -middle, 0.0) for solid in solids]


def compose(options: Options, object_id: int, rng: np.random.Generator) -> tuple[Scene, Camera]:
  """A view; the object has label 1, all else 0."""
  others = [number for number in range(options.objects) if number != object_id]
  count = min(len(others), int(rng.integers(MOST_DISTRACTORS + 1)))
  chosen = [object_id, *rng.permutation(others)[:count].astype(int).tolist()]
  bodies = [parts(options, number) for number in chosen]
  target = rng.uniform(-0.25, 0.25, 2)
  places = _places(rng, [_radius(body) for body in bodies], target)
  solids = [
    dataclasses.replace(_moved(solid, place, turn), label=int(number == 0))
    for number, (body, place) in enumerate(zip(bodies, places, strict=True))
    for turn in [rng.uniform(0, 2 * np.pi)]
    for solid in body
  ]
  floor, *walls = (_backdrop(rng) for _ in range(5))
  sides = [rooms.wall(i * np.pi / 2, ROOM, ROOM, HEIGHT, w, 0) for i, w in enumerate(walls)]
  light = Light((*rng.uniform(-2.5, 2.5, 2), rng.uniform(3.5, 4.8)), strength=0.7, ambient=0.5)
  return Scene((rooms.floor(floor, 0), *sides, *solids), light), _camera(options, rng)


def _camera(options: Options, rng: np.random.Generator) -> Camera:
  around, up, away = rng.uniform(0, 2 * np.pi), rng.uniform(*ELEVATION), rng.uniform(*DISTANCE)
  aim = np.array([*rng.uniform(-0.3, 0.3, 2), rng.uniform(0.1, 0.5)])
  direction = np.array([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)])
  position = aim + away * direction
  return look_at(tuple(position), tuple(aim), FIELD_OF_VIEW, options.size, options.size)


def _places(rng, radii: list[float], target: np.ndarray) -> np.ndarray:
  """Where objects stand, [n, 2]: the first at `target`, no others so near that they touch."""
  places = [target]
  for number, radius in enumerate(radii[1:], start=1):
    reach = 1.0
    while len(places) == number:
      place = rng.uniform(-1, 1, 2) * AREA * np.float64(reach)
      apart = np.linalg.norm(np.subtract(places, place), axis=1) - radii[:number] - radius
      if (apart > 0).all():
        places.append(place)
      reach += 0.02  # where there is no room, look a little further out
  return np.array(places)


def _half(shape: str, half: np.ndarray) -> tuple[float, float, float]:
  if shape == "capsule":  # thin, and longer than wide
    return (0.7 * half[0], 0.7 * half[0], 0.7 * half[0] + half[2])
  return tuple(half.tolist())


def _radius(body: list[Solid]) -> float:
  """Of the circle on the floor that holds the object however it is turned."""
  return max(float(np.hypot(*s.position[:2]) + np.hypot(*s.half[:2])) for s in body)


def _moved(solid: Solid, by: np.ndarray, turn: float) -> Solid:
  """The solid turned around the origin of the floor and then moved over it."""
  rotation = about_z(turn)
  place = rotation @ np.asarray(solid.position) + [*by, 0.0]
  return dataclasses.replace(
    solid, position=tuple(place.tolist()), rotation=rotation @ solid.rotation
  )


def _pattern(rng: np.random.Generator, hue: float) -> Material:
  """Of a part: the object's hue and a second colour, light, dark or of another hue."""
  second = [(hue, 0.2, 0.95), (hue, 0.9, 0.3), (hue + 0.33, 0.8, 0.8)][rng.integers(3)]
  return Material(
    rooms.hsv(hue + rng.uniform(-0.03, 0.03), 0.85, rng.uniform(0.7, 0.95)),
    rooms.hsv(*second),
    PATTERNS[rng.integers(len(PATTERNS))],
    scale=rng.uniform(0.1, 0.22),
    offset=tuple(rng.uniform(0, 10, 3).tolist()),
    highlight=rng.uniform(0, 0.4),
  )


def _backdrop(rng: np.random.Generator) -> Material:
  """Of a floor or a wall: pale colours in a wide pattern."""
  first, second = (
    rooms.hsv(rng.uniform(), rng.uniform(0.05, 0.4), rng.uniform(0.4, 1)) for _ in range(2)
  )
  pattern = ("flat", *PATTERNS)[rng.integers(len(PATTERNS) + 1)]
  offset = tuple(rng.uniform(0, 10, 3).tolist())
  return Material(first, second, pattern, scale=rng.uniform(0.4, 1.4), offset=offset)
