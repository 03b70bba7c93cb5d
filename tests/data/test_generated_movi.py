"""Falling and colliding solids: how they move, and what clips of them hold."""

import dataclasses
import io
import sys
import types
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from data.generated_movi import contacts, drawing, mujoco_physics, mujoco_render, physics, scenes
from data.generated_movi.generated_movi_dataset_builder import Builder
from data.generated_movi.physics import GRAVITY, Body, Floor, Motion, energy, simulate
from data.prepare import prepare
from data.raycast.motion import about_z, matrix, quaternion_of, random_quaternion
from objectcentric_jax.errors import InputError

FRAME = 1 / 12
CUBE = (0.5, 0.5, 0.5)
UPRIGHT = (1.0, 0.0, 0.0, 0.0)


def start(position, velocity=(0, 0, 0), quaternion=UPRIGHT, spin=(0, 0, 0)) -> Motion:
  """The motion of one body."""
  return Motion(*(np.array([v], float) for v in (position, quaternion, velocity, spin)))


def together(*motions: Motion) -> Motion:
  return Motion(*(np.concatenate(values) for values in zip(*motions, strict=True)))


def at(motion: Motion, frame: int) -> Motion:
  return Motion(*(values[frame] for values in motion))


def test_free_fall():
  body = Body("box", CUBE, 2.0, 0.5, 0.5)
  moved = simulate([body], start((0, 1, 20), (1, -2, 3), spin=(0, 0, 2)), 7, FRAME, Floor(1, 1))
  time = np.arange(7) * FRAME
  np.testing.assert_allclose(moved.position[:, 0, 0], time, atol=1e-9)
  np.testing.assert_allclose(moved.position[:, 0, 1], 1 - 2 * time, atol=1e-9)
  fallen = 20 + 3 * time - GRAVITY * time**2 / 2
  np.testing.assert_allclose(
    moved.position[:, 0, 2], fallen, atol=GRAVITY * time.max() / 480 + 1e-9
  )
  turned = matrix(moved.quaternion[:, 0])
  np.testing.assert_allclose(turned, [about_z(2 * t) for t in time], atol=1e-9)


@pytest.mark.parametrize("restitution", [0.8, 0.45])
def test_a_ball_bounces_as_high_as_restitution_says(restitution):
  ball = Body("sphere", CUBE, 1.0, 0.5, restitution)
  moved = simulate([ball], start((0, 0, 2.5)), 240, 1 / 240, Floor(0.5, 1.0))
  height = moved.position[:, 0, 2] - 0.5
  first = np.argmin(height)
  # A bounce comes up to a step early, 2.5 cm of the 2 m here at the most.
  np.testing.assert_allclose(height[first:].max() / 2, restitution**2, atol=0.05)
  assert height.min() > -0.002


def test_friction_slows_a_sliding_cube_and_makes_a_ball_roll():
  cube = Body("box", CUBE, 3.0, 0.6, 0.5)
  moved = simulate([cube], start((0, 0, 0.5), (3, 0, 0)), 12, FRAME, Floor(0.5, 0.5))
  time = np.arange(12) * FRAME
  expected = np.maximum(0, 3 - 0.3 * GRAVITY * time)
  np.testing.assert_allclose(moved.velocity[:, 0, 0], expected, atol=0.03)
  assert np.abs(moved.position[:, 0, 2] - 0.5).max() < 0.003
  ball = Body("sphere", CUBE, 3.0, 0.6, 0.5)
  moved = simulate([ball], start((0, 0, 0.5), (3, 0, 0)), 12, FRAME, Floor(0.5, 0.5))
  np.testing.assert_allclose(moved.velocity[-1, 0, 0], 3 * 5 / 7, rtol=1e-3)
  np.testing.assert_allclose(moved.angular_velocity[-1, 0, 1], 3 * 5 / 7 / 0.5, rtol=1e-3)


def test_a_spinning_cube_stops_turning():
  cube = Body("box", CUBE, 3.0, 0.6, 0.5)
  moved = simulate([cube], start((0, 0, 0.5), spin=(0, 0, 3)), 12, FRAME, Floor(0.5, 0.5))
  spin = moved.angular_velocity[:, 0, 2]
  assert (np.diff(spin) <= 1e-9).all() and abs(spin[-1]) < 1e-6


def test_balls_that_meet_head_on():
  """Momentum stays, and what is left of the approach is the product of the restitutions."""
  heavy, light = Body("sphere", CUBE, 3.0, 0.0, 0.9), Body("sphere", CUBE, 1.0, 0.0, 0.8)
  both = together(start((-0.8, 0, 30), (2, 0, 0)), start((0.8, 0, 30), (-1, 0, 0)))
  moved = simulate([heavy, light], both, 8, FRAME, Floor(1, 1))
  speeds = moved.velocity[-1, :, 0]
  np.testing.assert_allclose(3 * speeds[0] + speeds[1], 3 * 2 - 1)
  np.testing.assert_allclose(speeds[1] - speeds[0], 0.72 * 3)


def test_momentum_of_a_collision_off_centre():
  rng = np.random.default_rng(4)
  bodies = [Body("box", CUBE, 2.0, 0.7, 0.6), Body("cylinder", CUBE, 1.0, 0.7, 0.6)]
  both = together(
    start((-1.0, 0.2, 30), (3, 0, 0), random_quaternion(rng)),
    start((1.0, -0.1, 30.2), (-3, 0, 0), random_quaternion(rng), (1, 0, 1)),
  )
  moved = simulate(bodies, both, 12, FRAME, Floor(1, 1))
  masses = np.array([2.0, 1.0])

  def momenta(frame):
    linear = masses @ moved.velocity[frame]
    spin = np.zeros(3)
    for number, body in enumerate(bodies):
      turn = matrix(moved.quaternion[frame, number])
      spin += turn @ (physics.inertia(body) * (turn.T @ moved.angular_velocity[frame, number]))
    centre = masses @ moved.position[frame] / 3
    arms = moved.position[frame] - centre
    return linear, spin + np.cross(arms, masses[:, None] * moved.velocity[frame]).sum(axis=0)

  (before, spin_before), (after, spin_after) = momenta(0), momenta(-1)
  np.testing.assert_allclose(after[:2], before[:2], atol=1e-9)
  # What cylinders turn by in a step is taken as uniform, which is nearly so.
  np.testing.assert_allclose(spin_after, spin_before, atol=0.05)
  assert np.abs(moved.velocity[-1, 0] - moved.velocity[0, 0])[:2].max() > 1  # they did meet


@pytest.mark.parametrize("shape", ["box", "cylinder"])
def test_what_falls_comes_to_rest_on_a_face_or_rolls(shape):
  rng = np.random.default_rng(2)
  body = Body(shape, CUBE, 1.0, 0.8, 0.7)
  fall = start((0, 0, 1.5), (0.5, 0, 0), random_quaternion(rng))
  moved = simulate([body], fall, 50, FRAME, Floor(0.5, 0.5))
  up = np.abs(matrix(moved.quaternion[-1, 0])[2])
  lies = [1.0] if shape == "box" else [0.0, 1.0]  # the cylinder's axis level or upright
  tilt = up.max() if shape == "box" else up[2]
  assert min(abs(tilt - value) for value in lies) < 0.01
  np.testing.assert_allclose(moved.position[-1, 0, 2], 0.5, atol=0.005)


def overlaps(bodies, motion: Motion) -> float:
  """The deepest that a point of one body, or a lowest point over the floor, is inside another."""
  turns = matrix(motion.quaternion)
  deepest = 0.0
  for number, body in enumerate(bodies):
    half = np.array(body.half)
    lowest = contacts.lowest_points(body.shape, half, turns[number])[:, 2].min()
    deepest = max(deepest, -(lowest + motion.position[number, 2]))
    points, radius = contacts.surface_points(body.shape, half)
    places = points @ turns[number].T + motion.position[number]
    for other, solid in enumerate(bodies):
      if other != number:
        own = (places - motion.position[other]) @ turns[other]
        distances, _ = contacts.outside(solid.shape, np.array(solid.half), own)
        deepest = max(deepest, -(distances - radius).min())
  return deepest


@pytest.mark.parametrize("index", [0, 7])
def test_energy_does_not_grow_and_nothing_overlaps(index):
  options = scenes.Options(min_objects=9, max_objects=10)
  objects = scenes.clip(options, "train", index).objects
  bodies = objects.bodies()
  moved = simulate(bodies, objects.start, 24, FRAME, scenes.FLOOR)
  energies = [energy(bodies, at(moved, frame)) for frame in range(24)]
  assert (np.diff(energies) < 0).all()
  assert energies[-1] < 0.5 * energies[0]  # they did hit something
  assert max(overlaps(bodies, at(moved, frame)) for frame in range(24)) < 0.02
  again = simulate(bodies, objects.start, 5, FRAME, scenes.FLOOR)
  np.testing.assert_array_equal(again.position, moved.position[:5])


@pytest.mark.parametrize("shape", ["box", "sphere", "cylinder"])
def test_distances_to_solids(shape):
  """Against the nearest of many points of the surface."""
  half = np.array([0.6, 0.6, 0.6] if shape == "sphere" else [0.6, 0.6, 0.4])
  rng = np.random.default_rng(0)
  directions = rng.normal(size=(60_000, 3))
  if shape == "sphere":
    surface = 0.6 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
  else:
    inside = rng.uniform(-1, 1, (60_000, 3))
    if shape == "cylinder":
      radius, angle = np.sqrt(rng.uniform(size=60_000)), rng.uniform(0, 2 * np.pi, 60_000)
      inside[:, :2] = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
      side = rng.uniform(size=60_000) < 0.5
      inside[side, :2] /= radius[side, None]
      inside[~side, 2] = np.sign(inside[~side, 2])
    else:
      face = rng.integers(3, size=60_000)
      rows = np.arange(60_000)
      inside[rows, face] = np.sign(inside[rows, face])
    surface = inside * half
  points = rng.uniform(-0.9, 0.9, (60, 3))
  nearest = np.linalg.norm(points[:, None] - surface, axis=-1).min(axis=1)
  distances, ways = contacts.outside(shape, half, points)
  np.testing.assert_allclose(np.abs(distances), nearest, atol=0.02)
  np.testing.assert_allclose(np.linalg.norm(ways, axis=1), 1)
  on_surface, _ = contacts.outside(shape, half, points - distances[:, None] * ways)
  np.testing.assert_allclose(on_surface, 0, atol=1e-9)
  assert (distances < 0).sum() > 2 and (distances > 0).sum() > 10


def test_surface_points_are_on_the_surface():
  for shape in ("box", "cylinder", "sphere"):
    half = np.array([0.6, 0.6, 0.6])
    points, radius = contacts.surface_points(shape, half)
    distances, _ = contacts.outside(shape, half, points)
    np.testing.assert_allclose(distances + radius, 0, atol=1e-9)
    turn = matrix(random_quaternion(np.random.default_rng(1)))
    lowest = contacts.lowest_points(shape, half, turn)
    on, _ = contacts.outside(shape, half, lowest @ turn)
    np.testing.assert_allclose(on, 0, atol=1e-9)
    assert lowest[:, 2].min() <= (points @ turn.T)[:, 2].min() - radius + 1e-9


# Clips

SMALL = scenes.Options(
  size=32, min_objects=4, max_objects=5, frames=6, samples=1, depth=True, flow=True
)


def test_large_objects_are_of_twice_the_size_and_apart():
  options = scenes.Options(min_objects=4, max_objects=4, large=True)
  for index in range(40):
    objects = scenes.clip(options, "train", index).objects
    assert set(objects.size) <= {2 * size for size in scenes.SIZES}
    reach = objects.size / 2 * np.array([np.sqrt(3), np.sqrt(2), 1.0])[objects.shape]
    between = objects.start.position[:, None] - objects.start.position
    room = np.linalg.norm(between, axis=-1) - reach[:, None] - reach
    assert (room[~np.eye(4, dtype=bool)] > scenes.GAP).all()
    assert (objects.start.position[:, 2] > reach).all()


def test_places_are_sought_anew_where_the_first_ones_leave_no_room(monkeypatch):
  monkeypatch.setattr(scenes, "ATTEMPTS", 30)
  places = scenes._apart(np.full(4, 2.0), np.random.default_rng(0))
  assert places.shape == (4, 3) and len(np.unique(places, axis=0)) == 4


@pytest.fixture(scope="module", params=["", "moving_camera"])
def clip(request):
  """An example and its decoded frames."""
  options = dataclasses.replace(SMALL, camera=request.param)
  example = drawing.draw(options, "train", 2)

  def frames(name):
    return np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in example[name]])

  return example, frames("video"), frames("segmentation")


def test_labels_are_ordered_by_visible_pixels_and_stay_with_their_objects(clip):
  example, video, segmentation = clip
  count = example["num_objects"]
  seen = [(segmentation == label).sum() for label in range(1, 6)]
  assert seen == sorted(seen, reverse=True) and all(seen[:count]) and not any(seen[count:])
  focal = 16 / np.tan(scenes.FIELD_OF_VIEW / 2)
  checked = 0
  for frame in range(6):
    axes, place = example["camera"]["axes"][frame], example["camera"]["position"][frame]
    for number in range(count):
      at = axes @ (example["factors"]["position"][number, frame] - place)
      row, column = 16 + focal * at[1] / at[2], 16 + focal * at[0] / at[2]
      if 0 <= row < 32 and 0 <= column < 32:
        # The middle of an object shows it or what is in front of it.
        there = segmentation[frame, int(row), int(column)]
        depth = example["depth"][frame, int(row), int(column), 0]
        assert there == number + 1 or (there and depth < np.linalg.norm(at))
        checked += there == number + 1
  assert checked > 8


def test_depth_is_the_distance_to_the_camera(clip):
  example, _, segmentation = clip
  for frame in range(6):
    for number in range(example["num_objects"]):
      depth = example["depth"][frame, ..., 0][segmentation[frame] == number + 1]
      place = example["factors"]["position"][number, frame]
      middle = np.linalg.norm(place - example["camera"]["position"][frame])
      reach = example["factors"]["size"][number] / 2 * np.sqrt(3) + 1e-3
      assert (np.abs(depth - middle) < reach).all()


def test_flows_lead_to_each_other(clip):
  example, _, segmentation = clip
  forward, backward = example["forward_flow"], example["backward_flow"]
  assert forward.shape == backward.shape == (6, 32, 32, 2)
  np.testing.assert_array_equal(forward[-1], 0)
  np.testing.assert_array_equal(backward[0], 0)
  rows, columns = np.mgrid[:32, :32]
  errors = []
  for frame in range(5):
    target = np.stack([rows, columns], axis=-1) + forward[frame]
    row, column = np.floor(target + 0.5).astype(int).transpose(2, 0, 1)
    within = (row >= 0) & (row < 32) & (column >= 0) & (column < 32)
    row, column = row.clip(0, 31), column.clip(0, 31)
    same = within & (segmentation[frame + 1][row, column] == segmentation[frame])
    same &= segmentation[frame] > 0
    back = backward[frame + 1][row, column] + forward[frame]
    errors.append(np.abs(back[same]).max(axis=-1))
  errors = np.concatenate(errors)
  assert errors.size > 100 and np.median(errors) < 0.25
  assert np.abs(forward).max() > 1


def test_the_ground_flows_with_the_camera_alone(clip):
  example, _, segmentation = clip
  ground = segmentation[:-1] == 0
  still = (example["camera"]["position"] == example["camera"]["position"][0]).all()
  flow = np.abs(example["forward_flow"][:-1][ground])
  assert flow.max() == 0 if still else flow.max() > 0.1


def test_objects_begin_apart_above_the_floor():
  for index in range(10):
    objects = scenes.clip(scenes.Options(), "test", index).objects
    bodies = objects.bodies()
    assert 3 <= len(bodies) <= 10
    assert overlaps(bodies, objects.start) == 0
    assert {body.half[0] for body in bodies} <= {0.35, 0.7}
    for body, stuff in zip(bodies, objects.stuff, strict=True):
      volume = {"box": 8, "sphere": 4 / 3 * np.pi, "cylinder": 2 * np.pi}[body.shape]
      np.testing.assert_allclose(
        body.mass, scenes.STUFFS[stuff].density * volume * body.half[0] ** 3
      )


def test_cameras():
  for kind, distances in (("random_camera", (7, 9)), ("moving_camera", (7, 12))):
    for index in range(12):
      options = scenes.Options(camera=kind, frames=5)
      cameras = scenes.clip(options, "train", index).cameras
      places = np.array([camera.position for camera in cameras])
      away = np.linalg.norm(places, axis=1)
      assert (away > distances[0]).all() and (away < distances[1]).all() and places[:, 2].min() > 1
      steps = np.diff(places, axis=0)
      np.testing.assert_allclose(steps, steps[:1].repeat(4, axis=0), atol=1e-9)
      assert (np.abs(steps).max() > 0) == (kind == "moving_camera")
      assert np.linalg.norm(places[-1] - places[0]) <= 4
      for camera in cameras:
        rows, columns, _ = camera.project(np.zeros((3, 1)))
        np.testing.assert_allclose([rows[0], columns[0]], [64, 64])


# MuJoCo, which tests do without


def test_a_missing_mujoco_is_said_in_a_line(monkeypatch, tmp_path):
  monkeypatch.setitem(sys.modules, "mujoco", None)
  for config in ("24px_2-2_mujoco_train2", "24px_2-2_opengl_train2"):
    with pytest.raises(InputError, match="pip install mujoco") as caught:
      prepare(f"generated_movi/{config}", tmp_path)
    assert "\n" not in str(caught.value)
  assert Builder.config_named("24px_2-2_mujoco_train2").options.mujoco


class Caught(Exception):
  """Carries the XML that MuJoCo would have got."""


def caught_xml(monkeypatch, module, call) -> ElementTree.Element:
  def refuse(xml):
    raise Caught(xml)

  fake = types.SimpleNamespace(MjModel=types.SimpleNamespace(from_xml_string=refuse))
  monkeypatch.setattr(module, "import_mujoco", lambda: fake)
  with pytest.raises(Caught) as caught:
    call()
  return ElementTree.fromstring(str(caught.value))


def test_mujoco_gets_the_same_bodies_and_pairs(monkeypatch):
  objects = scenes.clip(SMALL, "train", 0).objects
  bodies = objects.bodies()
  world = caught_xml(
    monkeypatch,
    mujoco_physics,
    lambda: mujoco_physics.simulate(bodies, objects.start, 3, FRAME, scenes.FLOOR),
  )
  solids = world.findall("worldbody/body/geom")
  assert [solid.get("type") for solid in solids] == [body.shape for body in bodies]
  assert [float(solid.get("mass")) for solid in solids] == [body.mass for body in bodies]
  pairs = world.findall("contact/pair")
  assert len(pairs) == len(bodies) * (len(bodies) + 1) // 2
  frictions = {float(pair.get("friction").split()[0]) for pair in pairs}
  assert frictions <= {a * b for a in (0.4, 0.8) for b in (0.3, 0.4, 0.8)}


def test_mujoco_draws_the_same_solids(monkeypatch):
  clip = scenes.clip(SMALL, "train", 0)
  world = caught_xml(
    monkeypatch, mujoco_render, lambda: mujoco_render.images(clip, clip.objects.start)
  )
  solids = world.findall("worldbody/body/geom")
  assert [solid.get("type") for solid in solids] == [b.shape for b in clip.objects.bodies()]
  colours = [m.get("rgba").split()[:3] for m in world.findall("asset/material")]
  wanted = np.array(scenes.COLOURS)[clip.objects.colour] / 255
  np.testing.assert_allclose(np.array(colours[: len(solids)], float), wanted)
  fovy = float(world.find("worldbody/camera").get("fovy"))
  np.testing.assert_allclose(np.deg2rad(fovy), scenes.FIELD_OF_VIEW)


def test_quaternions_of_cameras_are_proper():
  camera = scenes.clip(SMALL, "train", 0).cameras[0]
  rotation = camera.axes.T @ mujoco_render.TO_OPENGL
  np.testing.assert_allclose(np.linalg.det(rotation), 1)
  np.testing.assert_allclose(matrix(quaternion_of(rotation)), rotation, atol=1e-12)
