"""The ray caster against closed forms, marched rays and pictures drawn another way."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.raycast import camera as cameras
from data.raycast import motion, textures
from data.raycast.camera import look_at
from data.raycast.render import CONTRAST, render
from data.raycast.scene import Light, Material, Scene, Solid
from data.raycast.solids import SHAPES

GREY = Material((0.5, 0.5, 0.5))
LIGHT = Light((0.0, 0.0, 8.0))
FLOOR = Solid("plane", (np.inf, np.inf, 0.0), (0.0, 0.0, 0.0), GREY, 1)
HALVES = {
  "plane": (0.9, 0.5, 0.0),
  "box": (0.7, 0.4, 0.9),
  "sphere": (0.8, 0.5, 0.6),
  "cylinder": (0.5, 0.8, 0.7),
  "capsule": (0.4, 0.4, 0.9),
}
TURNED = Rotation.from_euler("zyx", [0.7, -0.4, 1.1]).as_matrix()


def inside(shape: str, half, points: np.ndarray) -> np.ndarray:
  """Whether points [N, 3] are in a solid, by what `solids.py` says a solid is."""
  a, b, c = half
  x, y, z = points.T
  if shape == "box":
    return (abs(x) <= a) & (abs(y) <= b) & (abs(z) <= c)
  if shape == "sphere":
    return (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1
  if shape == "cylinder":
    return ((x / a) ** 2 + (y / b) ** 2 <= 1) & (abs(z) <= c)
  return x**2 + y**2 + (abs(z) - np.minimum(abs(z), c - a)) ** 2 <= a**2


def test_a_camera_looks_where_it_should():
  camera = look_at((3.0, -1.0, 2.0), (0.0, 1.0, 0.5), np.deg2rad(50), 40, 60)
  rows, columns, ahead = camera.project(np.array([[0.0], [1.0], [0.5]]))
  np.testing.assert_allclose([rows[0], columns[0]], [20, 30], atol=1e-9)
  np.testing.assert_allclose(ahead[0], np.sqrt(9 + 4 + 2.25))
  rays = camera.rays(np.array([20, 20, 0]), np.array([0, 60, 30])).astype(float)
  np.testing.assert_allclose(np.linalg.norm(rays, axis=0), 1, atol=1e-6)
  np.testing.assert_allclose(np.arccos(rays[:, 0] @ rays[:, 1]), np.deg2rad(50), atol=1e-5)
  assert rays[2, 2] > rays[2, 0]  # row 0 is on top
  left = np.cross([0, 0, 1], camera.axes[2])
  assert left @ rays[:, 0] > 0 > left @ rays[:, 1]


def test_projection_is_the_inverse_of_rays():
  camera = look_at((1.0, 2.0, 3.0), (0.2, 0.1, 0.0), 0.9, 30, 50)
  rng = np.random.default_rng(0)
  rows, columns = rng.uniform(0, 30, 20), rng.uniform(0, 50, 20)
  points = np.array([[1.0], [2.0], [3.0]]) + rng.uniform(1, 9, 20) * camera.rays(rows, columns)
  found = camera.project(points)
  np.testing.assert_allclose(found[0], rows, atol=1e-3)
  np.testing.assert_allclose(found[1], columns, atol=1e-3)


def test_the_silhouette_of_a_sphere_has_its_area():
  radius, distance, size = 0.8, 4.0, 160
  ball = Solid("sphere", (radius,) * 3, (0.0, 0.0, 0.0), GREY, 3)
  camera = look_at((distance, 0.0, 0.0), (0.0, 0.0, 0.0), np.deg2rad(40), size, size)
  picture = render(Scene((ball,), LIGHT), camera)
  outline = camera.focal * radius / np.sqrt(distance**2 - radius**2)
  found = (picture.segmentation == 3).sum()
  np.testing.assert_allclose(found, np.pi * outline**2, rtol=0.005)
  middle = picture.distance[size // 2, size // 2, 0]
  np.testing.assert_allclose(middle, distance - radius, atol=1e-3)


def test_the_depth_of_a_plane():
  height, width = 24, 36
  camera = look_at((0.0, -5.0, 1.0), (0.0, 0.0, 0.0), np.deg2rad(50), height, width)
  picture = render(Scene((FLOOR,), LIGHT), camera)
  # Ahead is (0, 5, -1) / sqrt(26), to the right is x, down is their product.
  focal = width / 2 / np.tan(np.deg2rad(25))
  down = (np.arange(height) + 0.5 - height / 2)[:, None] / focal
  right = (np.arange(width) + 0.5 - width / 2)[None, :] / focal
  falls = (1 + 5 * down) / np.sqrt(26)  # per length of z
  expected = 1 / np.maximum(falls, 1e-9) + 0 * right
  seen = expected * np.sqrt(1 + down**2 + right**2) < 100
  np.testing.assert_array_equal(picture.segmentation[..., 0] == 1, seen)
  np.testing.assert_allclose(picture.z[..., 0][seen], expected[seen], rtol=1e-4)
  ray = np.sqrt(1 + down**2 + right**2)
  np.testing.assert_allclose(picture.distance[..., 0][seen], (expected * ray)[seen], rtol=1e-4)
  assert (picture.distance[..., 0][~seen] == 100).all() and not seen.all()


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "plane"])
def test_rays_meet_solids_where_marched_rays_enter_them(shape):
  half = np.array(HALVES[shape])
  rng = np.random.default_rng(1)
  start = rng.normal(size=(300, 3))
  start *= 3 / np.linalg.norm(start, axis=1, keepdims=True)
  direction = rng.uniform(-0.7, 0.7, (300, 3)) - start
  direction /= np.linalg.norm(direction, axis=1, keepdims=True)
  found = SHAPES[shape].distance(
    half.astype(np.float32), start.T.astype(np.float32), direction.T.astype(np.float32)
  )
  steps = np.arange(0, 6, 2e-3)
  path = start[:, None] + steps[:, None] * direction[:, None]
  within = inside(shape, half, path.reshape(-1, 3)).reshape(path.shape[:2])
  hit = within.any(axis=1)
  grazing = within.sum(axis=1) < 10  # may be missed by either
  assert 50 < (hit & ~grazing).sum() < 295
  np.testing.assert_array_equal(np.isfinite(found)[~grazing | ~hit], hit[~grazing | ~hit])
  first = steps[within.argmax(axis=1)]
  certain = hit & ~grazing
  assert (first[certain] - found[certain] > -1e-4).all()
  assert (first[certain] - found[certain] < 2e-3 + 1e-4).all()


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "plane"])
def test_normals_lead_outwards_and_are_square_to_the_surface(shape):
  half = np.array(HALVES[shape], np.float32)
  rng = np.random.default_rng(2)
  start = rng.normal(size=(200, 3))
  start *= 3 / np.linalg.norm(start, axis=1, keepdims=True)

  def surface(target):
    direction = target - start
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = SHAPES[shape].distance(
      half, start.T.astype(np.float32), direction.T.astype(np.float32)
    )
    return start + distance[:, None] * direction

  target = rng.uniform(-0.2, 0.2, (200, 3))
  point = surface(target)
  normal = SHAPES[shape].normal(half, point.T.astype(np.float32)).T
  np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-5)
  off_edge = inside(shape, half, point - 1e-3 * normal) & ~inside(
    shape, half, point + 1e-3 * normal
  )
  assert off_edge.mean() > 0.97
  beside = surface(target + 1e-2 * rng.normal(size=(200, 3))) - point
  slope = (beside * normal).sum(axis=1) / np.linalg.norm(beside, axis=1)
  assert np.median(np.abs(slope)) < 0.02 and (np.abs(slope) < 0.1).mean() > 0.95


def test_a_rectangle_ends_and_is_seen_from_both_sides():
  for side in (-1, 1):
    solid = Solid("plane", (0.9, 0.5, 0.0), (0.0, 0.0, 0.0), GREY, 1)
    # Straight from above (or below) the rectangle is as wide as it is.
    camera = look_at((0.0, 0.0, 4.0 * side), (0.0, 0.0, 0.0), 1.0, 80, 80, up=(0.0, 1.0, 0.0))
    seen = render(Scene((solid,), LIGHT), camera).segmentation[..., 0]
    scale = camera.focal / 4
    np.testing.assert_allclose(seen.any(axis=0).sum(), 1.8 * scale, atol=1)
    np.testing.assert_allclose(seen.any(axis=1).sum(), 1.0 * scale, atol=1)


def test_what_is_nearer_hides_and_whole_shapes_go_on_behind_it():
  near = Solid("box", (0.5, 0.5, 0.5), (1.0, 0.2, 0.0), GREY, 1, TURNED)
  far = Solid("capsule", HALVES["capsule"], (-0.5, 0.0, 0.0), GREY, 2, TURNED)
  other = Solid("sphere", (0.3,) * 3, (-0.5, 0.9, 0.0), GREY, 2)
  camera = look_at((5.0, 0.0, 0.5), (0.0, 0.0, 0.0), 0.6, 40, 56)
  picture = render(Scene((far, near, other), LIGHT), camera, amodal=2)
  whole = [
    render(Scene(solids, LIGHT), camera).segmentation > 0 for solids in ((near,), (far, other))
  ]
  np.testing.assert_array_equal(picture.amodal_masks, 255 * np.stack(whole).astype(np.uint8))
  np.testing.assert_array_equal(picture.segmentation == 1, whole[0])
  np.testing.assert_array_equal(picture.segmentation == 2, whole[1] & ~whole[0])
  assert (whole[0] & whole[1]).sum() > 50


def test_the_shadow_of_a_ball_under_a_light():
  light, height, radius = 6.0, 1.5, 0.7
  ball = Solid("sphere", (radius,) * 3, (0.0, 0.0, height), GREY, 2)
  camera = look_at((0.0, -4.0, 0.8), (0.0, 0.0, 0.0), 1.0, 64, 64)
  scene = Scene((FLOOR, ball), Light((0.0, 0.0, light)))
  with_ball = render(scene, camera)
  without = render(dataclasses.replace(scene, solids=(FLOOR,)), camera)
  floor = with_ball.segmentation[..., 0] == 1
  point = with_ball.hits.point.reshape(3, 64, 64)
  reach = light * radius / np.sqrt((light - height) ** 2 - radius**2)
  from_middle = np.hypot(point[0], point[1])
  dark, lit = floor & (from_middle < reach - 0.02), floor & (from_middle > reach + 0.02)
  assert dark.sum() > 100 and lit.sum() > 100
  np.testing.assert_array_equal(with_ball.image[lit], without.image[lit])
  level = np.sqrt(0.25 * LIGHT.ambient)  # grey 0.5 as light, under light from around alone
  np.testing.assert_allclose(with_ball.image[dark] / 255, level, atol=0.003)
  assert without.image[dark].min() / 255 > level + 0.1


@pytest.mark.parametrize("shape", ["box", "cylinder", "capsule"])
def test_other_solids_have_shadows(shape):
  solid = Solid(shape, HALVES[shape], (0.0, 0.0, 1.5), GREY, 2, TURNED)
  light = Light((1.0, 0.5, 6.0))
  camera = look_at((0.0, -4.0, 0.8), (0.0, 0.0, 0.0), 1.0, 48, 48)
  with_it = render(Scene((FLOOR, solid), light), camera)
  without = render(Scene((FLOOR,), light), camera)
  floor = with_it.segmentation[..., 0] == 1
  darker = floor & (with_it.image < without.image - 20).all(axis=-1)
  point = with_it.hits.point.reshape(3, -1).T.reshape(48, 48, 3).astype(float)
  way = np.array(light.position) - point
  steps = np.linspace(0, 1, 400)[:, None]
  for row, column in zip(*(indices[::37] for indices in np.nonzero(floor)), strict=True):
    path = point[row, column] + steps * way[row, column]
    own = (path - solid.position) @ solid.rotation
    passes = inside(shape, HALVES[shape], own).sum()
    if passes == 0 or passes > 3:
      assert darker[row, column] == (passes > 3)
  assert darker.sum() > 30


def test_windows_hold_their_solids(monkeypatch):
  rng = np.random.default_rng(5)
  solids = tuple(
    Solid(
      shape, HALVES[shape], tuple(rng.uniform(-2, 2, 3)), GREY, number % 200 + 1,
      motion.matrix(motion.random_quaternion(rng)),
    )
    for number, shape in enumerate(list(HALVES) * 6)
  )  # fmt: skip
  camera = look_at((4.0, 0.0, 1.0), (0.0, 0.0, 0.0), 0.8, 40, 50)
  culled = render(Scene(solids, LIGHT), camera)
  monkeypatch.setattr(cameras.Camera, "window", lambda *_: None)
  full = render(Scene(solids, LIGHT), camera)
  np.testing.assert_array_equal(culled.segmentation, full.segmentation)
  np.testing.assert_array_equal(culled.image, full.image)


def test_smooth_edges_are_the_mean_of_a_larger_picture():
  box = Solid("box", (0.6, 0.4, 0.5), (0.0, 0.0, 0.8), Material((0.9, 0.2, 0.1)), 2, TURNED)
  scene = Scene((FLOOR, box), Light((2.0, -3.0, 6.0)))
  small, large = (
    look_at((4.0, 1.0, 2.0), (0.0, 0.0, 0.6), 0.7, 24 * scale, 32 * scale) for scale in (1, 3)
  )
  mean = render(scene, large).image.reshape(24, 3, 32, 3, 3).mean(axis=(1, 3))
  smooth, jagged = render(scene, small, samples=3).image, render(scene, small).image
  assert np.abs(smooth - mean).max() < CONTRAST * 255 + 1
  assert np.abs(jagged - mean).max() > 40
  np.testing.assert_array_equal(
    render(scene, small, samples=3).segmentation, render(scene, small).segmentation
  )


def test_metal_shows_its_surroundings_and_gloss_the_light():
  def drawn(**looks):
    ball = Solid("sphere", (1.0,) * 3, (0.0, 0.0, 0.0), Material((0.5, 0.5, 0.5), **looks), 1)
    camera = look_at((4.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.6, 32, 32)
    return render(Scene((ball,), Light((6.0, 0.0, 6.0))), camera).image.astype(int)

  matte, glossy, metal = drawn(), drawn(highlight=1.0), drawn(mirror=0.9)
  brighter = (glossy - matte).max(axis=-1)
  row, column = np.unravel_index(brighter.argmax(), brighter.shape)
  assert brighter.max() > 50 and 5 < row < 16 and 12 < column < 20  # half way up to the light
  assert metal[3, 16].mean() > metal[28, 16].mean() + 40  # sky above, ground below


@pytest.mark.parametrize("name", textures.TEXTURES)
def test_textures_are_shares(name):
  place = np.random.default_rng(0).uniform(-9, 9, (3, 4000)).astype(np.float32)
  share = textures.TEXTURES[name](place)
  assert share.shape == (4000,) and share.dtype == np.float32
  assert share.min() >= 0 and share.max() <= 1
  if name != "flat":
    assert 0.4 < share.mean() < 0.6 and share.min() < 0.05 and share.max() > 0.95
  beside = textures.TEXTURES[name](place + np.float32(1e-3))
  assert (np.abs(share - beside) < 0.05).mean() > 0.98


def test_checks_on_a_floor_are_squares_without_speckles():
  floor = dataclasses.replace(
    FLOOR, material=Material((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), "checks", 0.5)
  )
  camera = look_at((0.0, -5.0, 4.0), (0.0, 0.0, 0.0), 0.6, 48, 48)
  picture = render(Scene((floor,), LIGHT), camera)
  x, y, _ = picture.hits.point.reshape(3, 48, 48) / 0.5
  clear = (np.abs(x - np.rint(x)) > 0.01) & (np.abs(y - np.rint(y)) > 0.01)
  black = (np.floor(x) + np.floor(y)) % 2 == 1
  np.testing.assert_array_equal((picture.image == 0).all(axis=-1)[clear], black[clear])


def test_rotations_are_scipys():
  rng = np.random.default_rng(3)
  quaternions = np.stack([motion.random_quaternion(rng) for _ in range(20)])
  wanted = Rotation.from_quat(np.roll(quaternions, -1, axis=1)).as_matrix()
  np.testing.assert_allclose(motion.matrix(quaternions), wanted, atol=1e-12)
  product = motion.product(quaternions[:10], quaternions[10:])
  np.testing.assert_allclose(motion.matrix(product), wanted[:10] @ wanted[10:], atol=1e-12)
  for rotation in [*wanted, np.eye(3), np.diag([1.0, -1.0, -1.0]), np.diag([-1.0, -1.0, 1.0])]:
    back = motion.quaternion_of(rotation)
    assert back[0] >= 0
    np.testing.assert_allclose(motion.matrix(back), rotation, atol=1e-12)
  turned = motion.about_z(np.pi / 2) @ [1.0, 0.0, 0.0]
  np.testing.assert_allclose(turned, [0, 1, 0], atol=1e-12)


def test_flow_is_the_difference_of_positions():
  """Points of the surface that are followed one by one, through a camera that moves."""

  def frame(time):
    rotation = Rotation.from_rotvec(np.array([0.3, -0.2, 0.5]) * time).as_matrix() @ TURNED
    box = Solid("box", (0.5, 0.7, 0.4), (0.3 * time, 0.1, 0.9), GREY, 2, rotation)
    place = np.array([4.0, -0.5 + 0.4 * time, 2.0])
    return Scene((FLOOR, box), LIGHT), look_at(tuple(place), (0.0, 0.0, 0.5), 0.8, 30, 44)

  (scene, camera), (other, other_camera) = frame(0.0), frame(1.0)
  picture = render(scene, camera)
  flow = motion.flow(picture, scene, camera, other, other_camera)
  assert flow.shape == (30, 44, 2) and flow.dtype == np.float32

  def pinhole(camera, point):
    right, down, ahead = camera.axes @ (point - camera.position)
    return np.array([15 + camera.focal * down / ahead, 22 + camera.focal * right / ahead])

  counts = {0: 0, 1: 0}
  for row, column in np.ndindex(30, 44):
    which = picture.hits.which[row * 44 + column]
    if which < 0 or (row + column) % 3:
      continue
    counts[int(which)] += 1
    start = np.array(camera.position)
    ray = camera.rays(np.array([row + 0.5]), np.array([column + 0.5]))[:, 0].astype(float)
    point = start + picture.distance[row, column, 0] * ray
    if which == 1:
      box, moved = scene.solids[1], other.solids[1]
      point = moved.rotation @ box.rotation.T @ (point - box.position) + moved.position
    step = pinhole(other_camera, point) - (row + 0.5, column + 0.5)
    np.testing.assert_allclose(flow[row, column], step, atol=2e-3)
  assert min(counts.values()) > 20
  assert np.abs(flow).max() > 2


def test_what_stands_still_does_not_flow():
  box = Solid("box", (0.5, 0.7, 0.4), (0.0, 0.0, 0.9), GREY, 2, TURNED)
  scene = Scene((FLOOR, box), LIGHT)
  camera = look_at((4.0, 0.0, 2.0), (0.0, 0.0, 0.5), 0.8, 20, 24)
  flow = motion.flow(render(scene, camera), scene, camera, scene, camera)
  np.testing.assert_array_equal(flow, 0)
