"""Golden cases of the published Multi-dSprites generator: images, masks and sprites drawn."""

import random

import numpy as np

from data.multi_dsprites import scenes, sprites
from tests.golden.case import relative_error


def stand_in_patch(index: int) -> sprites.Patch:
  """What stands for sprite `index` in the cases: a square, its place and size from the index."""
  side = 6 + index % 13
  row, column = (index // 13) % (64 - side), (index // 1000) % (64 - side)
  return sprites.Patch(row, column, np.ones((side, side), bool))


def check(case: dict, arrays: dict[str, np.ndarray]) -> list[tuple[str, float, float]]:
  """Compares each output of a case; one (name, error, tolerance) each."""
  config, options = case["config"], scenes.Options()
  stream = random.Random(config["seed"])
  recipes = [
    scenes.published_recipe(
      stream, options.min_objects, options.max_objects, config["unique"], sprites.SPRITE_COUNT
    )
    for _ in range(config["dataset_size"])
  ]
  images, masks = zip(
    *(scenes.paint(recipe, options.size, stand_in_patch) for recipe in recipes), strict=True
  )
  ours = {
    "images": np.stack(images) / np.float32(255),
    "masks": np.stack(masks),
    "sprite_indices": np.array([i for recipe in recipes for i in recipe.sprite_indices]),
  }
  return [
    (name, relative_error(ours[name], arrays[f"outputs/{name}"]), described["tolerance"])
    for name, described in case["outputs"].items()
  ]
