"""What a worker process does: batches of recipes or of published arrays, to stored examples.

Standard library and numpy only, see `data.building.workers`.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data.building.png import encode_png
from data.multi_dsprites import scenes, sprites


class UnusableArrays(ValueError):
  """Published arrays that hold something else than they should."""


@dataclasses.dataclass(frozen=True)
class Drawing:
  """Scenes `start` to `stop` of a split that are to be drawn."""

  options: scenes.Options
  split: str
  start: int
  stop: int
  recipes: tuple[scenes.Recipe, ...] | None = None  # of the published stream
  packed_sprites: Path | None = None  # published images instead of the formula


@dataclasses.dataclass(frozen=True)
class Conversion:
  """Scenes `start` to `stop` of the published arrays of a split."""

  images: Path  # npy float32 [N, H, W, 3] in [0, 1]
  masks: Path  # npy float64 [N, H, W, 1], ids
  start: int
  stop: int
  max_objects: int


def draw(batch: Drawing) -> list[dict[str, Any]]:
  """The stored examples of a batch, without keys."""
  options = batch.options
  if batch.packed_sprites is None:
    sprite_count = sprites.SPRITE_COUNT
    patch_of = formula_patches(options.size)
  else:
    packed = np.load(batch.packed_sprites, mmap_mode="r")
    sprite_count = len(packed)
    patch_of = stored_patches(packed, options.size)
  recipes = batch.recipes or [
    scenes.own_recipe(options, batch.split, index, sprite_count)
    for index in range(batch.start, batch.stop)
  ]
  return [scenes.example(recipe, options, patch_of) for recipe in recipes]


def formula_patches(size: int) -> Callable[[int], sprites.Patch]:
  """Sprite index -> its patch, by formula."""
  return lambda index: sprites.silhouette(sprites.latents_of(index), size)


def stored_patches(packed: np.ndarray, size: int) -> Callable[[int], sprites.Patch]:
  """Sprite index -> its patch, from the published images as bits, uint8 [N, 512].

  Sizes other than 64 take the nearest pixel, floor(i * 64 / size), as the published loader does.
  """
  nearest = np.arange(size) * sprites.FRAME // size

  def patch_of(index):
    mask = np.unpackbits(packed[index]).reshape(sprites.FRAME, sprites.FRAME).astype(bool)
    return sprites.Patch(0, 0, mask[np.ix_(nearest, nearest)])

  return patch_of


def convert(batch: Conversion) -> list[dict[str, Any]]:
  """The stored examples of published arrays; UnusableArrays where they are not."""
  images = np.load(batch.images, mmap_mode="r")[batch.start : batch.stop]
  masks = np.load(batch.masks, mmap_mode="r")[batch.start : batch.stop]
  levels = np.rint(images * 255.0)
  # Also false for values that are not numbers.
  if not (
    np.abs(images * 255.0 - levels).max() < 0.01 and 0 <= levels.min() <= levels.max() <= 255
  ):
    raise UnusableArrays(f"{batch.images} has values that are not n/255 with n 0 to 255")
  if not np.isin(masks, np.arange(batch.max_objects + 1)).all():
    raise UnusableArrays(f"{batch.masks} has values that are not ids 0 to {batch.max_objects}")
  pairs = zip(levels.astype(np.uint8), masks.astype(np.uint8), strict=True)
  return [_converted(image, mask, batch.max_objects) for image, mask in pairs]


def _converted(image: np.ndarray, segmentation: np.ndarray, max_objects: int) -> dict[str, Any]:
  return {
    "image": encode_png(image),
    "segmentation": encode_png(segmentation),
    "num_objects": int(segmentation.max()),  # nothing covers the sprite painted last
    "factors": {"visible_pixels": scenes.visible_pixels(segmentation, max_objects)},
  }
