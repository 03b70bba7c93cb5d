"""Tetrominoes beside each other on black, as TFDS records."""

import numpy as np

from data.building import schema
from data.building.generated_builder import GeneratedBuilder, GeneratedConfig
from data.building.names import SPLITS_AND_SEED, Flag, Names, Objects
from data.generated_tetrominoes import scenes

NAMES = Names(
  "generated_tetrominoes",
  scenes.Options,
  [Objects(1, 4), Flag("unique"), *SPLITS_AND_SEED],
  examples="3-3_train60000 or 1-4_unique",
)


class Builder(GeneratedBuilder):
  """Tetrominoes of any legal config."""

  NAMES = NAMES
  DRAW = scenes.draw
  BATCH = 128
  BUILDER_CONFIGS = [
    GeneratedConfig(name=NAMES.spell(options), options=options)
    for options in (scenes.Options(), scenes.Options(unique=True))
  ]
  DEFAULT_CONFIG = BUILDER_CONFIGS[0].name
  SOURCE = "generated after the tetrominoes of deepmind/multi_object_datasets"
  SIZE = "38 MB"
  HOMEPAGE = "https://github.com/google-deepmind/multi_object_datasets"

  def _features(self):
    side, count = scenes.SIZE, self.options.max_objects
    return {
      "image": schema.picture(side, side),
      "segmentation": schema.picture(side, side, 1),
      "num_objects": np.int32,
      "bboxes": schema.numbers((count, 4)),
      "visibility": schema.numbers((count,), np.uint16),
      "factors": {
        "x": schema.numbers((count,)),
        "y": schema.numbers((count,)),
        "shape": schema.numbers((count,), np.int32),
        "colour": schema.numbers((count, 3), np.uint8),
      },
    }

  def _metadata(self):
    count = self.options.max_objects
    return {
      "labels": 1 + count,
      "background_ids": [0],
      "max_objects": count,
      "shapes": list(scenes.SHAPES),
    }
