"""Generated towers: whether they stand, by hand-made cases and by moments of force."""

import numpy as np
import pytest

from data.building.generated import source_of_chance
from data.generated_movi import physics
from data.generated_shapestacks import scenes
from data.generated_shapestacks.stability import falls_at, mass, rolls_at, standing_margin
from data.raycast.motion import about_z, quaternion_of
from data.raycast.scene import Material, Solid

GREY = Material((0.5, 0.5, 0.5))


def tower(*parts) -> list[Solid]:
  """Solids on each other, from (shape, half extents, x, y, turn)."""
  built, height = [], 0.0
  for shape, half, x, y, turn in parts:
    built.append(Solid(shape, half, (x, y, height + half[2]), GREY, len(built) + 1, about_z(turn)))
    height += 2 * half[2]
  return built


CUBE = (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
  "parts, falls, margin",
  [
    ([("box", CUBE, 0, 0, 0), ("box", CUBE, 0.4, 0, 0)], 0, 0.1),
    ([("box", CUBE, 0, 0, 0), ("box", CUBE, 0.6, 0, 0)], 1, -0.1),
    # A corner reaches further than a side, and a cylinder not so far.
    ([("box", CUBE, 0, 0, np.pi / 4), ("box", CUBE, 0.6, 0, 0)], 0, 0.5 - 0.6 / np.sqrt(2)),
    ([("cylinder", CUBE, 0, 0, 0), ("box", CUBE, 0.4, 0.4, 0)], 1, 0.5 - 0.4 * np.sqrt(2)),
    # On a wide face the narrow one above decides, on which a wide solid hangs over.
    (
      [("box", (2, 2, 0.5), 0, 0, 0), ("box", (0.2, 0.2, 0.01), 0, 0, 0), ("box", CUBE, 0.3, 0, 0)],
      1,
      0.2 - 0.3 / (1 + 0.4 * 0.4 * 0.02),
    ),
    # A counterweight: the second would fall alone but for what is on it.
    (
      [("box", CUBE, 0, 0, 0), ("box", CUBE, 0.6, 0, 0), ("box", (0.5, 0.5, 1.0), 0.2, 0, 0)],
      0,
      0.5 - (0.6 + 2 * 0.2) / 3,
    ),
    ([("box", CUBE, 0, 0, 0), ("sphere", CUBE, 0.45, 0, 0)], 0, 0.05),
  ],
)
def test_towers_made_by_hand(parts, falls, margin):
  built = tower(*parts)
  assert falls_at(built) == falls
  np.testing.assert_allclose(standing_margin(built, 0), margin, atol=1e-6)


def test_masses():
  assert mass(tower(("box", (1, 2, 3), 0, 0, 0))[0]) == 48
  np.testing.assert_allclose(mass(tower(("cylinder", (2, 2, 3), 0, 0, 0))[0]), np.pi * 4 * 6)
  np.testing.assert_allclose(mass(tower(("sphere", (2, 2, 2), 0, 0, 0))[0]), np.pi * 32 / 3)


def test_spheres_only_on_top():
  assert rolls_at(tower(("box", CUBE, 0, 0, 0), ("sphere", CUBE, 0, 0, 0))) == 0
  assert rolls_at(tower(("sphere", CUBE, 0, 0, 0), ("box", CUBE, 0, 0, 0))) == 1
  three = tower(("box", CUBE, 0, 0, 0), ("sphere", CUBE, 0, 0, 0), ("box", CUBE, 0, 0, 0))
  assert rolls_at(three) == 2


def towers(count, **options):
  options = scenes.Options(**options)
  return [scenes.tower_of(options, source_of_chance(3, "train", index)) for index in range(count)]


@pytest.mark.parametrize("blocks", [False, True])
def test_half_of_the_towers_stand_and_none_hangs_by_a_hair(blocks):
  made = towers(300, blocks=blocks)
  falling = [bool(falls_at(t)) for t in made]
  rolling = [bool(rolls_at(t)) for t in made]
  assert 120 < sum(f or r for f, r in zip(falling, rolling, strict=True)) < 180
  assert not any(f and r for f, r in zip(falling, rolling, strict=True))
  assert (sum(rolling) > 40) == (not blocks)
  margins = [standing_margin(t, joint) for t in made for joint in range(len(t) - 1)]
  assert np.abs(margins).min() >= scenes.MARGIN
  assert {len(t) for t in made} == {2, 3, 4, 5, 6}
  shapes = {solid.shape for t in made for solid in t}
  assert shapes == ({"box"} if blocks else {"box", "cylinder", "sphere"})


def test_solids_lie_on_each_other():
  for made in towers(40):
    assert made[0].position[2] == made[0].half[2]
    for lower, upper in zip(made[:-1], made[1:], strict=True):
      top, bottom = lower.position[2] + lower.half[2], upper.position[2] - upper.half[2]
      np.testing.assert_allclose(bottom, top)
      between = np.hypot(*np.subtract(upper.position, lower.position)[:2])
      assert between < np.hypot(*lower.half[:2]) + np.hypot(*upper.half[:2])
    assert [solid.label for solid in made] == list(range(1, len(made) + 1))


def test_pairs_of_solids_fall_as_they_are_labelled():
  """The rigid-body model of another set agrees where there is one joint."""
  labels = []
  for made in towers(9, min_objects=2, max_objects=2):
    bodies = [physics.Body(s.shape, s.half, mass(s), 0.9, 0.1) for s in made]
    still = np.zeros((2, 3))
    start = physics.Motion(
      np.array([solid.position for solid in made]),
      np.array([quaternion_of(solid.rotation) for solid in made]),
      still,
      still,
    )
    end = physics.simulate(bodies, start, 2, 0.9, physics.Floor(0.9, 0.1)).position[-1]
    falls = bool(falls_at(made))
    labels.append(falls)
    if not rolls_at(made):  # a solid may lie on a sphere for a while
      assert (np.abs(end - start.position).max() > 0.1) == falls
  assert 0 < sum(labels) < 9


def test_labels_of_examples_and_the_tower_in_view():
  options = scenes.Options(size=40, samples=1)
  for index in range(12):
    made = scenes.tower_of(options, source_of_chance(0, "test", index))
    example = scenes.draw(options, "test", index)
    factors = example["factors"]
    assert factors["centre_of_mass_violation"] == falls_at(made)
    assert factors["planar_surface_violation"] == rolls_at(made)
    assert example["label"] == int(bool(falls_at(made) or rolls_at(made)))
    assert example["num_objects"] == len(made)
    assert (example["visibility"][: len(made)] > 0).all()
    boxes = example["bboxes"][: len(made)]
    assert boxes.min() > 0 and boxes.max() < 1  # none touches an edge
