"""What is in a clip of moving sprites, and its frames.

Lengths are in pixels of a picture of 128 pixels, FRAME, whatever the picture's size.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import colorsys
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from data.building import patches
from data.building.boxes import boxes, visible_pixels
from data.building.generated import Splits, padded, source_of_chance
from data.building.png import encode_png
from data.generated_moving_sprites import glyphs
from data.generated_moving_sprites.backgrounds import BACKGROUNDS
from data.multi_dsprites import sprites

FRAME = 128
MARGIN = FRAME / 8  # how far beyond the picture the middle of a sprite may go
SCALE = (0.35, 0.6)  # 1: the largest published dSprites, and digits 28 high
SPEED = 2.2  # standard deviation along x and y, a frame
SPIN = 0.1  # standard deviation of radians a frame, where sprites rotate
TILT = 0.25  # most that a digit leans where it does not rotate
SATURATION, VALUE = (0.4, 0.9), (0.7, 1.0)
KINDS = {
  "dsprites": (sprites.SHAPES, sprites.OUTLINES),
  "digits": (glyphs.SHAPES, glyphs.OUTLINES),
}


@dataclasses.dataclass(frozen=True)
class Options(Splits):
  """What a set is made of; `names.py` spells it as the name of a config."""

  size: int = FRAME  # pixels of a side
  min_objects: int = 2
  max_objects: int = 10
  objects: str = "dsprites"  # one of KINDS
  large: bool = False  # sprites of twice the size
  rotating: bool = False
  background: str = "flat"  # one of BACKGROUNDS
  frames: int = 20
  train: int = 10_000
  validation: int = 1_000
  test: int = 1_000


class Sprites(NamedTuple):
  """The sprites of a clip, N, those farther back first."""

  shape: np.ndarray  # int [N]
  scale: np.ndarray  # [N]
  colour: np.ndarray  # uint8 [N, 3]
  position: np.ndarray  # of the middle, x and y, 0 to FRAME within the picture, [N, T, 2]
  orientation: np.ndarray  # radians, counter-clockwise, [N, T]


def draw(options: Options, split: str, index: int) -> dict[str, Any]:
  """Clip `index` of `split` as it is stored, without its key."""
  rng = source_of_chance(options.seed, split, index)
  moving = compose(options, rng)
  background = BACKGROUNDS[options.background](rng, options.size, options.frames)
  segmentations = [segmentation(moving, options, frame) for frame in range(options.frames)]
  palette = np.concatenate([np.zeros((1, 3), np.uint8), moving.colour])
  video = (
    np.where(labels > 0, palette[labels[..., 0]], behind)
    for labels, behind in zip(segmentations, background, strict=True)
  )
  count = options.max_objects
  return {
    "video": [encode_png(picture) for picture in video],
    "segmentation": [encode_png(labels) for labels in segmentations],
    "num_objects": len(moving.shape),
    "bboxes": np.stack([boxes(labels, count) for labels in segmentations]),
    "visibility": np.stack([visible_pixels(labels, count) for labels in segmentations]),
    "factors": factors(moving, count),
  }


def compose(options: Options, rng: np.random.Generator) -> Sprites:
  """Sprites anywhere in the picture and its margin, and where they are in every frame."""
  count = int(rng.integers(options.min_objects, options.max_objects + 1))
  frames = np.arange(options.frames)
  shape = rng.integers(len(KINDS[options.objects][0]), size=count)
  scale = rng.uniform(*SCALE, count) * (1 + options.large)
  start = rng.uniform(-MARGIN, FRAME + MARGIN, (count, 1, 2))
  velocity = rng.normal(0, SPEED, (count, 1, 2))
  position = reflected(start + velocity * frames[:, None], -MARGIN, FRAME + MARGIN)
  widest = TILT if options.objects == "digits" and not options.rotating else np.pi
  spin = rng.normal(0, SPIN if options.rotating else 0, (count, 1))
  orientation = rng.uniform(-widest, widest, (count, 1)) + spin * frames
  colour = [
    colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(*SATURATION), rng.uniform(*VALUE))
    for _ in range(count)
  ]
  colour = np.rint(np.multiply(colour, 255)).astype(np.uint8)
  return Sprites(shape, scale, colour, position, orientation)


def reflected(path: np.ndarray, low: float, high: float) -> np.ndarray:
  """A straight path as it runs between two walls that throw it back."""
  length = high - low
  return high - np.abs((path - low) % (2 * length) - length)


def segmentation(moving: Sprites, options: Options, frame: int) -> np.ndarray:
  """The labels of a frame, uint8 [size, size, 1]: sprite n, counted from 0, has label n + 1."""
  labels = np.zeros((options.size, options.size), np.uint8)
  _, outlines = KINDS[options.objects]
  for number, shape in enumerate(moving.shape):
    orientation, centre = moving.orientation[number, frame], moving.position[number, frame]
    patch = patches.draw(
      outlines[shape], moving.scale[number], orientation, tuple(centre), options.size, FRAME
    )
    patches.paint(labels, patch, number + 1)
  return labels[..., None]


def factors(moving: Sprites, max_objects: int) -> dict[str, np.ndarray]:
  """The true factors of a clip [K, ...], padded with zeros; places as shares of the picture."""
  x, y = np.moveaxis(moving.position / FRAME, -1, 0)
  return {
    "shape": padded(moving.shape, max_objects, np.int32),
    "scale": padded(moving.scale, max_objects, np.float32),
    "colour": padded(moving.colour, max_objects, np.uint8),
    "x": padded(x, max_objects, np.float32),
    "y": padded(y, max_objects, np.float32),
    "orientation": padded(moving.orientation, max_objects, np.float32),
  }
