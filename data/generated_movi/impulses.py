"""Impulses between bodies that touch: what stops, bounces and slows them.

Each takes energy out or leaves it: the approach at a touching place is stopped or turned round, at
most as fast as it was, and friction slows the sliding and turning there by Coulomb's law. What many
points of two bodies do at once is handled as one place, weighted by how far each would go through.

Standard library and numpy only: the processes that draw scenes import this module.
"""

from typing import NamedTuple

import numpy as np

SOFT = 0.25  # what approaches more slowly does not bounce
OVERLAP = 0.002  # that may be left between bodies
RECOVERY = 0.5  # share of more overlap that is taken away at a time
FLOOR = -1  # the number of the floor
NONE = 1e-9  # of a length or a speed that is as good as none


class State(NamedTuple):
  """N bodies at a moment; the arrays are changed in place."""

  position: np.ndarray  # [N, 3]
  velocity: np.ndarray  # [N, 6], of the centre, and angular about the world's axes
  inverse_mass: np.ndarray  # [N]
  turning: np.ndarray  # [N, 3, 3], inverse inertia about the world's axes


class Way(NamedTuple):
  """A motion of two bodies against each other, or P of them, [P, 3] each.

  Its speed is the velocities of the bodies times this.
  """

  linear: np.ndarray  # [3], of the first; the second's is the opposite
  angular: np.ndarray  # [3], of the first
  other_angular: np.ndarray  # [3], the opposite of the second's; zeros for the floor


class Touch(NamedTuple):
  """Points where two bodies, or a body and the floor, are near each other."""

  first: int
  second: int
  points: np.ndarray  # [P, 3], in the world
  gaps: np.ndarray  # [P], negative where they overlap
  apart: Way  # how the bodies go apart at the points; `linear` is unit, away from the second
  friction: float  # of the two
  restitution: float


def apart(state: State, first: int, second: int, points: np.ndarray, ways: np.ndarray) -> Way:
  """The motion of two bodies in which points of them go apart in these directions.

  Args:
    state: the bodies.
    first: one of them.
    second: the other, or FLOOR.
    points: [3] or [P, 3], in the world.
    ways: [3] or [P, 3], from the second to the first.
  """
  turns = cross(points - state.position[first], ways)
  if second == FLOOR:
    return Way(ways, turns, np.zeros_like(turns))
  return Way(ways, turns, cross(points - state.position[second], ways))


def push(state: State, touch: Touch, step: float, bounces: bool) -> bool:
  """Gives the impulses that keep the bodies of a touch apart, if any are needed.

  Args:
    state: its velocities change.
    touch: where.
    step: seconds for which the bodies will then move freely.
    bounces: whether fast approaches are turned round, or all just stopped.

  Returns:
    whether any were needed.
  """
  speeds = _speed(state, touch, touch.apart)
  gaps = np.maximum(touch.gaps, 0)
  weights = np.maximum(-(gaps + step * speeds), 0)
  total = weights.sum()
  if total < NONE:
    return False
  weights /= total
  way = Way(*(weights @ part for part in touch.apart))
  speed = weights @ speeds
  if bounces and -speed > SOFT:
    wanted = -touch.restitution * speed
  else:
    wanted = -(weights @ gaps) / step
  impulse = _change(state, touch, way, wanted - speed)
  _slow(state, touch, weights, unit(way.linear), touch.friction * impulse)
  return True


def separate(state: State, touch: Touch) -> None:
  """Moves the bodies of a touch out of some of their overlap."""
  deepest = touch.gaps.argmin()
  overlap = -touch.gaps[deepest] - OVERLAP
  if overlap <= 0:
    return
  move = RECOVERY * overlap * touch.apart.linear[deepest]
  if touch.second == FLOOR:
    state.position[touch.first] += move
    return
  share = state.inverse_mass[touch.first] / (
    state.inverse_mass[touch.first] + state.inverse_mass[touch.second]
  )
  state.position[touch.first] += share * move
  state.position[touch.second] -= (1 - share) * move


def _slow(state, touch, weights, normal, most):
  """Friction by impulses of at most `most`: of sliding, and for a wide touch of turning."""
  place = weights @ touch.points
  sliding = _velocity_at(state, touch.first, place)
  if touch.second != FLOOR:
    sliding = sliding - _velocity_at(state, touch.second, place)
  sliding = sliding - (sliding @ normal) * normal
  slide = apart(state, touch.first, touch.second, place, -unit(sliding))
  _change(state, touch, slide, -_speed(state, touch, slide), most)
  spread = touch.points - place
  lever = np.sqrt(weights @ (spread * spread).sum(axis=1))
  turn = Way(np.zeros(3), normal, normal)
  speed = _speed(state, touch, turn)
  turn = Way(np.zeros(3), -np.sign(speed) * normal, -np.sign(speed) * normal)
  _change(state, touch, turn, abs(speed), lever * most)


def _velocity_at(state: State, number: int, place: np.ndarray) -> np.ndarray:
  velocity = state.velocity[number]
  return velocity[:3] + cross(velocity[3:], place - state.position[number])


def _speed(state: State, touch: Touch, way: Way):
  """How fast the bodies of a touch move in a way, or in several, [P]."""
  velocity = state.velocity[touch.first]
  speed = way.linear @ velocity[:3] + way.angular @ velocity[3:]
  if touch.second == FLOOR:
    return speed
  velocity = state.velocity[touch.second]
  return speed - way.linear @ velocity[:3] - way.other_angular @ velocity[3:]


def _change(state: State, touch: Touch, way: Way, change: float, most: float = np.inf) -> float:
  """Adds `change` to the speed in a way by an impulse of at most `most`; returns the impulse."""
  if change < NONE:
    return 0.0
  turn = state.turning[touch.first] @ way.angular
  square = way.linear @ way.linear
  ease = square * state.inverse_mass[touch.first] + way.angular @ turn
  if touch.second != FLOOR:
    other_turn = state.turning[touch.second] @ way.other_angular
    ease += square * state.inverse_mass[touch.second] + way.other_angular @ other_turn
  impulse = min(change / ease, most)
  velocity = state.velocity[touch.first]
  velocity[:3] += impulse * state.inverse_mass[touch.first] * way.linear
  velocity[3:] += impulse * turn
  if touch.second != FLOOR:
    velocity = state.velocity[touch.second]
    velocity[:3] -= impulse * state.inverse_mass[touch.second] * way.linear
    velocity[3:] -= impulse * other_turn
  return impulse


def unit(a: np.ndarray) -> np.ndarray:
  """[3] with length 1; zeros stay zeros."""
  return a / max(np.sqrt(a @ a), NONE)


_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """Cross products of [3] or [P, 3], many times faster than numpy's on so few."""
  return a.take(_NEXT, -1) * b.take(_LAST, -1) - a.take(_LAST, -1) * b.take(_NEXT, -1)
