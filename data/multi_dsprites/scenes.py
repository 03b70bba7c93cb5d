"""Multi-dSprites scenes: what is in a picture (a recipe) and the picture it gives.

The recipe of GENESIS (Engelcke et al., 2020; applied-ai-lab/genesis scripts/generate_multid.py): a
background colour, a uniform number of sprites, each a published dSprites image drawn by its index
with a colour, painted over those before it. Two sources of chance give recipes: the published
stream (Python's `random`, one stream over all scenes) and one generator a scene, seeded with
(seed, split, index), so that any scene can be drawn again alone.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from data.building import patches
from data.building.generated import SPLITS, Splits, source_of_chance
from data.building.png import encode_png
from data.multi_dsprites import sprites

LEVELS = (0, 63, 127, 191, 255)


@dataclasses.dataclass(frozen=True)
class Options(Splits):
  """What a Multi-dSprites set is made of; `names.py` spells it as the name of a config."""

  size: int = 64  # pixels of a side
  min_objects: int = 1
  max_objects: int = 4
  unique: bool = False  # no two of background and sprites share a colour
  published: bool = False  # recipes from the published generator's random stream


class Recipe(NamedTuple):
  """What is in one scene, in the order of painting."""

  background: tuple[int, int, int]  # RGB, 0 to 255
  sprite_indices: tuple[int, ...]
  colours: tuple[tuple[int, int, int], ...]


def own_recipe(options: Options, split: str, index: int, sprite_count: int) -> Recipe:
  """The recipe of scene `index` of `split`, whatever else was drawn before it."""
  rng = source_of_chance(options.seed, split, index)
  count = int(rng.integers(options.min_objects, options.max_objects + 1))
  picked = rng.integers(sprite_count, size=count)
  codes = rng.choice(len(LEVELS) ** 3, size=count + 1, replace=not options.unique)
  channels = np.unravel_index(codes, (len(LEVELS),) * 3)
  colours = [tuple(LEVELS[c] for c in code) for code in zip(*channels, strict=True)]
  return Recipe(colours[0], tuple(picked.tolist()), tuple(colours[1:]))


def published_recipe(
  stream: random.Random, min_objects: int, max_objects: int, unique: bool, sprite_count: int
) -> Recipe:
  """The next recipe of the published generator; `stream` moves on."""

  def colour():
    return tuple(stream.choice(LEVELS) for _ in range(3))

  background = colour()
  picked, colours = [], []
  for _ in range(stream.randint(min_objects, max_objects)):
    picked.append(stream.randint(0, sprite_count - 1))
    colours.append(colour())
    while unique and (colours[-1] == background or colours[-1] in colours[:-1]):
      colours[-1] = colour()
  return Recipe(background, tuple(picked), tuple(colours))


def published_recipes(options: Options, split: str, sprite_count: int) -> Iterator[Recipe]:
  """The published stream's recipes of one split.

  One stream gives train, validation and test, then all three again with unique colours, so what
  comes before the split is drawn and dropped.
  """
  stream = random.Random(options.seed)
  for unique in (False, True):
    for name in SPLITS:
      wanted = unique == options.unique and name == split
      for _ in range(options.count(name)):
        recipe = published_recipe(
          stream, options.min_objects, options.max_objects, unique, sprite_count
        )
        if wanted:
          yield recipe
      if wanted:
        return


def paint(
  recipe: Recipe, size: int, patch_of: Callable[[int], sprites.Patch]
) -> tuple[np.ndarray, np.ndarray]:
  """Paints a recipe.

  Args:
    recipe: the scene.
    size: pixels of a side.
    patch_of: sprite index -> its patch in a picture of that size.

  Returns:
    image: uint8 [size, size, 3].
    segmentation: uint8 [size, size, 1]; 0 is the background, the sprite painted n-th is n where it
      can still be seen.
  """
  segmentation = np.zeros((size, size), np.uint8)
  for number, index in enumerate(recipe.sprite_indices, start=1):
    patches.paint(segmentation, patch_of(index), number)
  palette = np.array([recipe.background, *recipe.colours], np.uint8)
  return palette[segmentation], segmentation[..., None]


def factors(recipe: Recipe, segmentation: np.ndarray, max_objects: int) -> dict[str, np.ndarray]:
  """The true factors of a scene, one row a sprite in painting order, padded with zeros."""
  latents = sprites.latents_of(np.array(recipe.sprite_indices))

  def padded(values, dtype):
    values = np.asarray(values, dtype)
    rows = np.zeros((max_objects, *values.shape[1:]), dtype)
    rows[: len(values)] = values
    return rows

  return {
    "shape": padded(latents.shape, np.int32),
    "scale": padded(latents.scale, np.float32),
    "orientation": padded(latents.orientation, np.float32),
    "x": padded(latents.x, np.float32),
    "y": padded(latents.y, np.float32),
    "colour": padded(recipe.colours, np.uint8),
    "background_colour": np.array(recipe.background, np.uint8),
    "visible_pixels": visible_pixels(segmentation, max_objects),
  }


def visible_pixels(segmentation: np.ndarray, max_objects: int) -> np.ndarray:
  """How many pixels of each sprite can be seen, int32 [max_objects]."""
  counts = np.bincount(segmentation.ravel(), minlength=max_objects + 1)
  return counts[1:].astype(np.int32)


def example(
  recipe: Recipe, options: Options, patch_of: Callable[[int], sprites.Patch]
) -> dict[str, Any]:
  """A scene as it is stored, without its key."""
  image, segmentation = paint(recipe, options.size, patch_of)
  return {
    "image": encode_png(image),
    "segmentation": encode_png(segmentation),
    "num_objects": len(recipe.sprite_indices),
    "factors": factors(recipe, segmentation, options.max_objects),
  }
