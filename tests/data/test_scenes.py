"""What is in a scene, how it is painted, and which chance it comes from."""

import io
import itertools
import random

import numpy as np
import pytest
from PIL import Image

from data.building.png import encode_png
from data.multi_dsprites import drawing, scenes, sprites
from tests.golden import __main__ as golden

FORMULA = drawing.formula_patches(64)


def decode(png: bytes) -> np.ndarray:
  return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize(
  "case", golden.find_cases(golden.golden.PUBLIC, "multid_generation"), ids=str
)
def test_published_stream_is_the_published_one(case):
  results = golden.run_case(case)
  assert {r.name for r in results} == {"images", "masks", "sprite_indices"}
  assert all(r.passed for r in results), results


def test_published_stream_runs_through_all_splits_and_then_through_the_unique_ones():
  plain = scenes.Options(train=5, validation=3, test=2, published=True, seed=4)
  unique = scenes.Options(train=5, validation=3, test=2, published=True, seed=4, unique=True)
  got = [
    list(scenes.published_recipes(options, split, 100))
    for options in (plain, unique)
    for split in scenes.SPLITS
  ]
  assert [len(recipes) for recipes in got] == [5, 3, 2] * 2
  stream = random.Random(4)
  expected = [scenes.published_recipe(stream, 1, 4, False, 100) for _ in range(10)]
  expected += [scenes.published_recipe(stream, 1, 4, True, 100) for _ in range(10)]
  assert list(itertools.chain(*got)) == expected


@pytest.mark.parametrize("published", [False, True])
def test_unique_colours(published):
  options = scenes.Options(
    min_objects=6, max_objects=6, unique=True, published=published, train=200, seed=1
  )
  if published:
    recipes = list(scenes.published_recipes(options, "train", 50))
  else:
    recipes = [scenes.own_recipe(options, "train", i, 50) for i in range(200)]
  assert all(len({r.background, *r.colours}) == 7 for r in recipes)


def test_own_recipes_are_uniform_and_depend_on_seed_split_and_index_alone():
  options = scenes.Options(min_objects=2, max_objects=4)
  recipes = [scenes.own_recipe(options, "train", i, 1000) for i in range(3000)]
  counts = np.bincount([len(r.sprite_indices) for r in recipes], minlength=5)
  assert counts[:2].sum() == 0 and (np.abs(counts[2:] - 1000) < 130).all()
  levels = np.array([r.background for r in recipes])
  for level in scenes.LEVELS:
    assert (np.abs((levels == level).sum(axis=0) - 600) < 110).all()
  picked = np.concatenate([r.sprite_indices for r in recipes])
  assert picked.min() < 20 and picked.max() > 979 and abs(picked.mean() - 499.5) < 15
  shared = sum(r.background in r.colours for r in recipes)
  assert 30 < shared < 130  # 9000 sprites in 125 colours
  assert scenes.own_recipe(options, "train", 7, 1000) == recipes[7]
  assert scenes.own_recipe(options, "test", 7, 1000) != recipes[7]
  other = scenes.Options(min_objects=2, max_objects=4, seed=1)
  assert scenes.own_recipe(other, "train", 7, 1000) != recipes[7]


def test_later_sprites_hide_earlier_ones():
  squares = {
    0: sprites.Patch(2, 3, np.ones((4, 5), bool)),
    1: sprites.Patch(4, 3, np.ones((2, 5), bool)),
    2: sprites.Patch(4, 0, np.ones((2, 8), bool)),
  }
  recipe = scenes.Recipe((9, 9, 9), (0, 1, 2), ((1, 2, 3), (4, 5, 6), (7, 8, 10)))
  image, segmentation = scenes.paint(recipe, 8, squares.get)
  expected = np.zeros((8, 8), np.uint8)
  expected[2:4, 3:8] = 1
  expected[4:6, :] = 3
  np.testing.assert_array_equal(segmentation[..., 0], expected)
  np.testing.assert_array_equal(image[2, 3], (1, 2, 3))
  np.testing.assert_array_equal(image[5, 5], (7, 8, 10))
  np.testing.assert_array_equal(image[0, 0], (9, 9, 9))
  np.testing.assert_array_equal(scenes.visible_pixels(segmentation, 5), (10, 0, 16, 0, 0))


def test_factors_describe_the_scene_and_are_padded():
  index = (((2 * 6 + 5) * 40 + 13) * 32 + 31) * 32
  recipe = scenes.Recipe((0, 63, 127), (index, 0), ((1, 2, 3), (4, 5, 6)))
  _, segmentation = scenes.paint(recipe, 64, FORMULA)
  factors = scenes.factors(recipe, segmentation, 4)
  np.testing.assert_array_equal(factors["shape"], (2, 0, 0, 0))
  np.testing.assert_allclose(factors["scale"], (1.0, 0.5, 0, 0))
  np.testing.assert_allclose(factors["orientation"], (26 * np.pi / 39, 0, 0, 0), rtol=1e-6)
  np.testing.assert_allclose(factors["x"], (1, 0, 0, 0))
  np.testing.assert_allclose(factors["y"], (0, 0, 0, 0))
  np.testing.assert_array_equal(factors["colour"], [(1, 2, 3), (4, 5, 6), (0, 0, 0), (0, 0, 0)])
  np.testing.assert_array_equal(factors["background_colour"], (0, 63, 127))
  assert factors["visible_pixels"][1] == 100  # a square of scale 0.5 has sides of 10


def test_examples_hold_the_painted_pictures_losslessly():
  options = scenes.Options(size=48)
  recipe = scenes.own_recipe(options, "train", 3, sprites.SPRITE_COUNT)
  patches = drawing.formula_patches(48)
  example = scenes.example(recipe, options, patches)
  image, segmentation = scenes.paint(recipe, 48, patches)
  np.testing.assert_array_equal(decode(example["image"]), image)
  np.testing.assert_array_equal(decode(example["segmentation"]), segmentation[..., 0])
  assert example["num_objects"] == len(recipe.sprite_indices)


@pytest.mark.parametrize("shape", [(5, 9, 3), (9, 5, 1)])
def test_png_round_trip(shape):
  pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
  np.testing.assert_array_equal(decode(encode_png(pixels)).reshape(shape), pixels)


def test_png_of_other_arrays_is_an_error():
  with pytest.raises(ValueError, match="float32"):
    encode_png(np.zeros((4, 4, 3), np.float32))
  with pytest.raises(ValueError, match="4, 2"):
    encode_png(np.zeros((4, 4, 2), np.uint8))
