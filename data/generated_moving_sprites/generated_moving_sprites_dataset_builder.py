"""Clips of sprites that move through, leave and re-enter the picture, as TFDS records."""

import numpy as np

from data.building import schema
from data.building.generated_builder import GeneratedBuilder, GeneratedConfig
from data.generated_moving_sprites import scenes
from data.generated_moving_sprites.names import DENSITIES, NAMES


class Builder(GeneratedBuilder):
  """Clips of any legal config."""

  NAMES = NAMES
  DRAW = scenes.draw
  BATCH = 4
  SAMPLE = 12
  BUILDER_CONFIGS = [
    GeneratedConfig(name=NAMES.spell(options), options=options)
    for objects in scenes.KINDS
    for least, most in DENSITIES.values()
    for options in (scenes.Options(min_objects=least, max_objects=most, objects=objects),)
  ]
  DEFAULT_CONFIG = BUILDER_CONFIGS[0].name
  SOURCE = "generated after the moving dSprites and digits of SCALOR (Jiang et al., 2020)"
  SIZE = "130 MB"
  HOMEPAGE = "https://sites.google.com/view/scalor/home"

  def _features(self):
    options = self.options
    frames, side, count = options.frames, options.size, options.max_objects
    return {
      "video": schema.pictures(frames, side, side),
      "segmentation": schema.pictures(frames, side, side, 1),
      "num_objects": np.int32,
      "bboxes": schema.numbers((frames, count, 4)),
      "visibility": schema.numbers((frames, count), np.uint16),
      "factors": {
        "shape": schema.numbers((count,), np.int32),
        "scale": schema.numbers((count,)),
        "colour": schema.numbers((count, 3), np.uint8),
        **{name: schema.numbers((count, frames)) for name in ("x", "y", "orientation")},
      },
    }

  def _metadata(self):
    count = self.options.max_objects
    shapes, _ = scenes.KINDS[self.options.objects]
    return {
      "labels": 1 + count,
      "background_ids": [0],
      "max_objects": count,
      "shapes": list(shapes),
    }
