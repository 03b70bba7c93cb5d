"""Solids that fall, slide, tumble and bounce: a small rigid-body model.

Bodies move freely for a step of time; where they would pass through the floor or each other on it
they get impulses first (`impulses.py`), so they hardly overlap, and energy does not grow.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from data.generated_movi.contacts import lowest_points, outside, surface_points
from data.generated_movi.impulses import FLOOR, State, Touch, apart, push, separate
from data.raycast.motion import matrix, product

GRAVITY = 9.81
STEP = 1 / 240  # seconds
ROUNDS = 10  # of impulses in a step, at most
NEAR = 0.02  # bodies nearer than this are watched even when they are slow


@dataclasses.dataclass(frozen=True)
class Body:
  """A solid and what matters of it for how it moves; of two that touch the products count.

  Turning is exact for cubes and spheres, and near it for cylinders about as wide as high.
  """

  shape: str  # "box", "sphere" or "cylinder"
  half: tuple[float, float, float]
  mass: float
  friction: float
  restitution: float


@dataclasses.dataclass(frozen=True)
class Floor:
  """The plane z = 0."""

  friction: float
  restitution: float


class Motion(NamedTuple):
  """N bodies at a moment, or with a leading axis at several."""

  position: np.ndarray  # [N, 3]
  quaternion: np.ndarray  # [N, 4]
  velocity: np.ndarray  # [N, 3]
  angular_velocity: np.ndarray  # [N, 3], radians a second about the world's axes


def inertia(body: Body) -> np.ndarray:
  """The moments of inertia about the body's axes, [3]."""
  a, b, c = np.square(body.half)
  if body.shape == "sphere":
    return body.mass * 0.4 * np.array([a, a, a])
  if body.shape == "box":
    return body.mass / 3 * np.array([b + c, a + c, a + b])
  return body.mass * np.array([a / 4 + c / 3, a / 4 + c / 3, a / 2])


def energy(bodies: Sequence[Body], motion: Motion) -> float:
  """Of motion, and of height over the floor, of all bodies together at a moment."""
  total = 0.0
  for number, body in enumerate(bodies):
    velocity = motion.velocity[number]
    spin = matrix(motion.quaternion[number]).T @ motion.angular_velocity[number]
    total += body.mass * (0.5 * velocity @ velocity + GRAVITY * motion.position[number, 2])
    total += 0.5 * inertia(body) @ (spin * spin)
  return float(total)


def simulate(
  bodies: Sequence[Body], start: Motion, frames: int, frame_time: float, floor: Floor
) -> Motion:
  """Moves bodies that at first do not overlap.

  Args:
    bodies: what moves, N.
    start: their motion in the first frame, [N, ...].
    frames: T.
    frame_time: seconds from frame to frame; a multiple of STEP.
    floor: what they fall on.

  Returns:
    their motion in all frames, [T, N, ...].
  """
  world = _World(bodies, start, floor)
  motions = [world.motion()]
  for _ in range(frames - 1):
    for _ in range(round(frame_time / STEP)):
      world.step()
    motions.append(world.motion())
  return Motion(*(np.stack(values) for values in zip(*motions, strict=True)))


class _World:
  """The bodies on their way through time."""

  def __init__(self, bodies: Sequence[Body], start: Motion, floor: Floor):
    self._bodies, self._floor = bodies, floor
    self._half = np.array([body.half for body in bodies])
    self._radius = np.array([_radius(body) for body in bodies])
    self._points = [surface_points(b.shape, h) for b, h in zip(bodies, self._half, strict=True)]
    self._inverse_inertia = np.array([1 / inertia(body) for body in bodies])
    self._quaternion = np.array(start.quaternion, np.float64)
    self._state = State(
      position=np.array(start.position, np.float64),
      velocity=np.concatenate([start.velocity, start.angular_velocity], axis=1),
      inverse_mass=np.array([1 / body.mass for body in bodies]),
      turning=np.empty((len(bodies), 3, 3)),
    )

  def motion(self) -> Motion:
    """The bodies now."""
    position, velocity = self._state.position.copy(), self._state.velocity.copy()
    return Motion(position, self._quaternion.copy(), velocity[:, :3], velocity[:, 3:])

  def step(self) -> None:
    """Goes STEP seconds on."""
    rotation = matrix(self._quaternion)
    self._state.turning[:] = (
      rotation * self._inverse_inertia[:, None, :] @ rotation.transpose(0, 2, 1)
    )
    self._state.velocity[:, 2] -= GRAVITY * STEP
    touches = [*self._touches_of_bodies(rotation), *self._touches_of_floor(rotation)]
    for number in range(ROUNDS):
      # Later rounds mend what one impulse undid of another.
      pushed = [push(self._state, touch, STEP, bounces=number == 0) for touch in touches]
      if not any(pushed):
        break
    for touch in touches:
      separate(self._state, touch)
    self._move()

  def _move(self) -> None:
    self._state.position[:] += STEP * self._state.velocity[:, :3]
    spin = STEP * self._state.velocity[:, 3:]
    angle = np.sqrt((spin * spin).sum(axis=1, keepdims=True))
    turn = np.concatenate([np.cos(angle / 2), spin * np.sinc(angle / (2 * np.pi)) / 2], axis=1)
    turned = product(turn, self._quaternion)
    self._quaternion = turned / np.sqrt((turned * turned).sum(axis=1, keepdims=True))

  def _touches_of_floor(self, rotation: np.ndarray) -> Iterator[Touch]:
    position, velocity = self._state.position, self._state.velocity
    reach = self._radius + 2 * STEP * np.abs(velocity[:, 2])
    for number in np.flatnonzero(position[:, 2] < reach):
      body = self._bodies[number]
      points = lowest_points(body.shape, self._half[number], rotation[number]) + position[number]
      upwards = np.zeros_like(points)
      upwards[:, 2] = 1.0
      yield self._touch(number, FLOOR, points, upwards, points[:, 2])

  def _touches_of_bodies(self, rotation: np.ndarray) -> Iterator[Touch]:
    velocity = self._state.velocity[:, :3]
    way = STEP * np.sqrt((velocity * velocity).sum(axis=1))  # in this step
    reach = self._radius + 2 * way
    between = self._state.position[:, None] - self._state.position
    distance = np.sqrt((between * between).sum(axis=-1))
    for first, second in np.argwhere(np.triu(distance < reach[:, None] + reach, 1)):
      near = 2 * (way[first] + way[second]) + NEAR
      pairs = (
        self._near(first, second, near, rotation),
        self._near(second, first, near, rotation),
      )
      points, normals, gaps = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
      if gaps.size:
        normals[len(pairs[0][2]) :] *= -1  # away from the second, all of them
        yield self._touch(first, second, points, normals, gaps)

  def _touch(self, first: int, second: int, points, normals, gaps) -> Touch:
    one, other = self._bodies[first], self._floor if second == FLOOR else self._bodies[second]
    way = apart(self._state, first, second, points, normals)
    friction, restitution = one.friction * other.friction, one.restitution * other.restitution
    return Touch(first, second, points, gaps, way, friction, restitution)

  def _near(self, moving: int, still: int, near: float, rotation: np.ndarray):
    """Places on one body less than `near` from another, directions away from that, and gaps."""
    points, radius = self._points[moving]
    places = points @ rotation[moving].T + self._state.position[moving]
    own = (places - self._state.position[still]) @ rotation[still]
    distances, directions = outside(self._bodies[still].shape, self._half[still], own)
    gaps = distances - radius
    chosen = np.flatnonzero(gaps < near)
    normals = directions[chosen] @ rotation[still].T
    return places[chosen] - radius * normals, normals, gaps[chosen]


def _radius(body: Body) -> float:
  """Of the sphere that holds a body however it is turned."""
  a, b, c = body.half
  return {"sphere": a, "cylinder": np.hypot(a, c)}.get(body.shape, np.sqrt(a * a + b * b + c * c))
