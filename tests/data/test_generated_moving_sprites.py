"""Moving sprites: their ways, what covers what, digits, backgrounds, and what is stored."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from scipy import ndimage

from data import prepare
from data.building import patches
from data.generated_moving_sprites import backgrounds, glyphs, scenes
from data.generated_moving_sprites.generated_moving_sprites_dataset_builder import Builder
from data.generated_moving_sprites.names import DENSITIES, NAMES
from data.multi_dsprites import sprites
from objectcentric_jax import records
from objectcentric_jax.errors import InputError

BUILT = "32px_2-3_digits_rotating_texture_frames4_train9_validation2_test1_seed6"


def decode(pngs: list[bytes]) -> np.ndarray:
  return np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in pngs])


def shifted(shape: patches.Shape, centre: tuple[float, float], size=128, frame=128) -> np.ndarray:
  picture = np.zeros((size, size), np.uint8)
  patches.paint(picture, patches.draw(shape, 0.6, 0.4, centre, size, frame), 1)
  return picture


# The ways of sprites


def test_walls_throw_back():
  start, speed = np.array([3.0, 9.5]), np.array([0.5, -1.75])
  place, velocity, expected = start.copy(), speed.copy(), []
  for _ in range(60):
    expected.append(place.copy())
    place += velocity
    for axis in range(2):
      if not -2 <= place[axis] <= 11:
        wall = -2 if place[axis] < -2 else 11
        place[axis], velocity[axis] = 2 * wall - place[axis], -velocity[axis]
  path = start + speed * np.arange(60)[:, None]
  np.testing.assert_allclose(scenes.reflected(path, -2, 11), expected, atol=1e-9)


def test_ways_speeds_and_scales():
  options = NAMES.parse("128px_very_high_frames30")
  clips = [scenes.compose(options, np.random.default_rng(i)) for i in range(60)]
  assert {len(clip.shape) for clip in clips} <= set(range(90, 111))
  position = np.concatenate([clip.position for clip in clips])
  assert position.shape[1:] == (30, 2)
  assert position.min() >= -16 and position.max() <= 144
  # No sprite can be seen when its middle is at the outer border.
  reach = max(shape.reach for _, shapes in scenes.KINDS.values() for shape in shapes)
  assert reach * scenes.SCALE[1] < scenes.MARGIN
  steps = np.diff(position, axis=1)
  straight = (np.abs(np.diff(steps, axis=1)) < 1e-9).all(axis=(1, 2))  # never thrown back
  assert 0.2 < straight.mean() < 0.8
  # Far from the walls all steps are from the normal distribution.
  inner = steps[(np.abs(position[:, 0] - 64) < 50).all(axis=-1), 0]
  assert abs(inner.std() - 2.2) < 0.1 and abs(inner.mean()) < 0.1
  scale = np.concatenate([clip.scale for clip in clips])
  assert 0.35 <= scale.min() < 0.36 and 0.59 < scale.max() <= 0.6
  # Everywhere as likely, at first and, the walls throwing back evenly, later.
  for frame in (0, 29):
    counts, _ = np.histogram(position[:, frame], bins=10, range=(-16, 144))
    expected = position[:, frame].size / 10
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_sprites_leave_and_come_back():
  options = NAMES.parse("32px_low_frames120")
  returned = 0
  for index in range(3):
    example = scenes.draw(options, "train", index)
    x, y = example["factors"]["x"], example["factors"]["y"]
    outside = (np.minimum(x, y) < -0.07) | (np.maximum(x, y) > 1.07)  # [K, T]; no part is seen
    for number in range(example["num_objects"]):
      seen = example["visibility"][:, number] > 0
      assert not seen[outside[number]].any()
      away = np.flatnonzero(outside[number])
      if len(away):
        returned += seen[: away[0]].any() and seen[away[0] :].any()
  assert returned >= 3


def test_large_sprites_are_twice_as_large():
  usual, large = (
    scenes.compose(NAMES.parse(name), np.random.default_rng(1))
    for name in ("128px_high", "128px_high_large")
  )
  np.testing.assert_allclose(large.scale, 2 * usual.scale)
  np.testing.assert_array_equal(large.position, usual.position)


@pytest.mark.parametrize("objects", scenes.KINDS)
def test_only_rotating_sprites_turn(objects):
  word = "" if objects == "dsprites" else f"_{objects}"
  still = scenes.compose(NAMES.parse(f"128px_high{word}"), np.random.default_rng(1))
  assert not np.ptp(still.orientation, axis=1).any()
  widest = np.abs(still.orientation).max()
  assert widest <= 0.25 if objects == "digits" else 2.8 < widest <= np.pi
  turning = scenes.compose(NAMES.parse(f"128px_high{word}_rotating"), np.random.default_rng(1))
  steps = np.diff(turning.orientation, axis=1)
  np.testing.assert_allclose(steps, np.repeat(steps[:, :1], 19, axis=1), atol=1e-9)
  assert 0.06 < steps[:, 0].std() < 0.14
  assert np.abs(turning.orientation[:, 0]).max() > 2.8


# Frames


@pytest.mark.parametrize(
  "name",
  ["64px_very_high_frames2", "96px_30-39_digits_rotating_gradient_frames4", "32px_130-130_frames3"],
)
def test_frames_show_what_the_factors_say(name):
  options = NAMES.parse(name)
  example = scenes.draw(options, "train", 5)
  video, labels = decode(example["video"]), decode(example["segmentation"])
  side, frames, count = options.size, options.frames, example["num_objects"]
  assert video.shape == (frames, side, side, 3) and labels.shape == (frames, side, side)
  assert options.min_objects <= count <= options.max_objects
  factors = example["factors"]
  assert factors["x"].shape == (options.max_objects, frames)
  _, shapes = scenes.KINDS[options.objects]
  covered = 0
  for frame in range(frames):
    # Each sprite alone; of those at a pixel, the one with the highest number is seen.
    whole = np.zeros((count, side, side), np.uint8)
    for number in range(count):
      centre = [128 * float(factors[axis][number, frame]) for axis in "xy"]
      turned = float(factors["orientation"][number, frame])
      shape, scale = shapes[factors["shape"][number]], float(factors["scale"][number])
      patch = patches.draw(shape, scale, turned, centre, side, 128)
      patches.paint(whole[number], patch, number + 1)
    np.testing.assert_array_equal(labels[frame], whole.max(axis=0))
    covered += np.sum((whole > 0).sum(axis=0) > 1)
    for number in range(options.max_objects):
      mask = labels[frame] == number + 1
      assert (video[frame][mask] == factors["colour"][number]).all()
      assert example["visibility"][frame, number] == mask.sum()
      box = np.zeros(4)
      if mask.any():
        rows, columns = np.nonzero(mask)
        box[:] = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
      np.testing.assert_allclose(example["bboxes"][frame, number] * side, box, atol=1e-5)
  assert covered > 20
  assert all(not values[count:].any() for values in factors.values())
  assert example["visibility"].dtype == np.uint16 and example["bboxes"].dtype == np.float32


def test_the_picture_shows_the_same_at_every_size():
  small, large = (
    scenes.draw(NAMES.parse(f"{size}px_medium_frames2"), "test", 3) for size in (64, 256)
  )
  for name, values in small["factors"].items():
    np.testing.assert_array_equal(values, large["factors"][name])
  seen = small["visibility"] > 5
  ratio = large["visibility"][seen] / small["visibility"][seen]
  assert seen.sum() > 20 and abs(np.mean(ratio) - 16) < 1


@pytest.mark.parametrize("number", range(3))
def test_sprites_have_the_published_shapes(number):
  # A picture of 128 pixels that begins 32 pixels above and to the left of a published one.
  latents = sprites.Latents(number, 0.6, 0.4, 7 / 31, 20 / 31)
  patch = sprites.silhouette(latents)
  expected = np.zeros((128, 128), np.uint8)
  patches.paint(expected[32:96, 32:96], patch, 1)
  centre = (48 + 32 * latents.x, 48 + 32 * latents.y)
  np.testing.assert_array_equal(shifted(sprites.OUTLINES[number], centre), expected)


@pytest.mark.parametrize("centre", [(-3.2, 60.1), (131.0, 4.0), (64.5, -1.0), (127.0, 127.9)])
def test_parts_outside_of_the_picture_are_cut_off(centre):
  wide = shifted(sprites.OUTLINES[2], (centre[0] + 32, centre[1] + 32), 192, 192)
  np.testing.assert_array_equal(shifted(sprites.OUTLINES[2], centre), wide[32:160, 32:160])
  assert wide[32:160, 32:160].any() and wide.sum() > wide[32:160, 32:160].sum()


def test_what_is_wholly_outside_paints_nothing():
  for centre in ((-16.0, 64.0), (64.0, 144.0), (300.0, -200.0)):
    assert not shifted(sprites.OUTLINES[0], centre).any()


# Digits


def glyph(digit: int, orientation: float = 0.0, reach: float | None = None) -> np.ndarray:
  shape = glyphs.OUTLINES[digit]
  shape = shape if reach is None else shape._replace(reach=reach)
  picture = np.zeros((160, 160), bool)
  patches.paint(picture, patches.draw(shape, 1.0, orientation, (20.0, 20.0), 160, 40), True)
  return picture


def test_digits_are_of_one_piece_with_the_right_holes():
  for digit, holes in enumerate((1, 0, 0, 0, 1, 0, 1, 0, 2, 1)):
    mask = glyph(digit)
    assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
    assert ndimage.label(~mask)[1] == 1 + holes
    rows, columns = np.nonzero(mask)
    assert 27.5 <= np.ptp(rows / 4) + 0.25 <= 28.5  # units; four pixels are one
    assert np.ptp(columns / 4) <= 21
    assert abs(rows.min() + rows.max() - 159) <= 2  # upright in the middle


def test_digits_differ_and_nine_is_a_turned_six():
  masks = [glyph(digit) for digit in range(10)]
  for first in range(10):
    for second in range(first):
      overlap = np.sum(masks[first] & masks[second]) / np.sum(masks[first] | masks[second])
      assert overlap < 0.8
  np.testing.assert_array_equal(masks[9], masks[6][::-1, ::-1])


@pytest.mark.parametrize("digit", range(10))
def test_windows_hold_whole_digits(digit):
  for orientation in np.arange(0, 6.3, 1.3):
    whole = glyph(digit, orientation, reach=20.0)
    np.testing.assert_array_equal(glyph(digit, orientation), whole)


# Backgrounds


def test_backgrounds_that_do_not_move():
  for name, colours in (("black", 1), ("flat", 1), ("gradient", backgrounds.SHADES)):
    frames = backgrounds.BACKGROUNDS[name](np.random.default_rng(2), 40, 3)
    assert len(frames) == 3 and all(frame.shape == (40, 40, 3) for frame in frames)
    assert all(np.array_equal(frame, frames[0]) for frame in frames)
    assert len(np.unique(frames[0].reshape(-1, 3), axis=0)) == colours
    assert frames[0].any() == (name != "black")
  rows, columns = (np.diff(frames[0].astype(int), axis=axis) for axis in (0, 1))
  for channel in range(3):  # every channel runs one way only along an axis
    for steps in (rows[..., channel], columns[..., channel]):
      assert (steps >= 0).all() or (steps <= 0).all()


def test_textures_move_evenly():
  for seed in range(4):
    frames = backgrounds.texture(np.random.default_rng(seed), 128, 12)
    rng = np.random.default_rng(seed)
    angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 2.0)
    drift = speed * np.sin(angle), speed * np.cos(angle)  # down and to the right
    for number, frame in enumerate(frames):
      assert frame.shape == (128, 128, 3) and frame.dtype == np.uint8
      down, right = np.rint(np.multiply(number, drift)).astype(int)
      here = frame[max(0, -down) : 128 - max(0, down), max(0, -right) : 128 - max(0, right)]
      there = frames[0][max(0, down) : 128 + min(0, down), max(0, right) : 128 + min(0, right)]
      np.testing.assert_array_equal(here, there)
    assert not np.array_equal(frames[0], frames[-1])


def test_sprites_are_brighter_than_what_is_behind_them():
  for background in scenes.BACKGROUNDS:
    word = "" if background == "flat" else f"_{background}"
    example = scenes.draw(NAMES.parse(f"64px_high{word}_frames1"), "train", 0)
    behind = decode(example["segmentation"])[0] == 0
    brightest = decode(example["video"])[0].max(axis=-1)
    assert brightest[behind].max() <= 102 < 178 <= brightest[~behind].min()


# Names and records


@pytest.mark.parametrize(
  "name, options",
  [
    ("128px_low", scenes.Options()),
    ("128px_very_high_digits", scenes.Options(objects="digits", min_objects=90, max_objects=110)),
    (
      "64px_3-5_rotating_texture_frames10_train50",
      scenes.Options(
        size=64, min_objects=3, max_objects=5, rotating=True, background="texture", frames=10,
        train=50, validation=5, test=5,
      ),
    ),
    ("8px_255-255_gradient_seed4", scenes.Options(
      size=8, min_objects=255, max_objects=255, background="gradient", seed=4,
    )),
  ],
)  # fmt: skip
def test_names(name, options):
  assert NAMES.parse(name) == options and NAMES.spell(options) == name
  assert Builder.config_named(name).options == options


def test_a_density_may_be_said_in_numbers():
  for name, (least, most) in DENSITIES.items():
    options = NAMES.parse(f"128px_{least}-{most}")
    assert options == NAMES.parse(f"128px_{name}")
    assert NAMES.spell(options) == f"128px_{name}"


@pytest.mark.parametrize(
  "name",
  ["", "128px", "128px_lowest", "128px_low-high", "128px_3", "128px_5-3", "128px_0-3", "7px_low",
   "128px_1-256", "128px_low_low", "128px_low_3-5", "128px_low_texture_digits", "128px_low_frames0",
   "128px_low_dsprites", "128px_02-10"],
)  # fmt: skip
def test_other_names_show_the_grammar(name):
  with pytest.raises(InputError) as caught:
    Builder.config_named(name)
  assert repr(name) in str(caught.value)
  assert "SIZEpx_low|medium|high|very_high|MIN-MAX[_digits][_large][_rotating]" in str(caught.value)


def test_records_are_the_same_with_any_number_of_processes_and_each_can_be_drawn_alone(tmp_path):
  one, two = (
    prepare.prepare(f"generated_moving_sprites/{BUILT}", tmp_path / str(count), None, count)
    for count in (1, 2)
  )
  shards = [{f.name: f.read_bytes() for f in d.glob("*.array_record-*")} for d in (one, two)]
  assert len(shards[0]) == 3 and shards[0] == shards[1]
  options = NAMES.parse(BUILT)
  for split, count in (("train", 9), ("validation", 2), ("test", 1)):
    source = tfds.builder_from_directory(one).as_data_source(split)
    assert len(source) == count
    for stored in source:
      index = int(stored["metadata"]["key"].decode().removeprefix(f"{split}-"))
      drawn = scenes.draw(options, split, index)
      np.testing.assert_array_equal(stored["video"], decode(drawn["video"]))
      labels = np.stack(list(stored["segmentation"]))
      np.testing.assert_array_equal(labels[..., 0], decode(drawn["segmentation"]))
      assert stored["num_objects"] == drawn["num_objects"]
      for key in ("bboxes", "visibility"):
        np.testing.assert_array_equal(stored[key], drawn[key])
      for key, values in drawn["factors"].items():
        np.testing.assert_array_equal(stored["factors"][key], values)
        assert stored["factors"][key].dtype == values.dtype
  described = records.metadata(one)
  assert (described["labels"], described["max_objects"], described["seed"]) == (4, 3, 6)
  assert described["background_ids"] == [0] and described["source"] == "generated"
  assert described["shapes"] == list("0123456789")


def test_seed_split_and_index_all_matter():
  plain, seeded = NAMES.parse("16px_1-2_frames2"), NAMES.parse("16px_1-2_frames2_seed1")
  drawn = [
    tuple(scenes.draw(*arguments)["factors"]["x"].ravel())
    for arguments in (
      (plain, "train", 0), (plain, "train", 1), (plain, "test", 0), (seeded, "train", 0),
    )
  ]  # fmt: skip
  assert len(set(drawn)) == 4
