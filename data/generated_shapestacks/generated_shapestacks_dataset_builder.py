"""Towers of blocks that stand or fall, as TFDS records."""

import numpy as np

from data.building.generated_builder import GeneratedBuilder, GeneratedConfig
from data.building.names import SPLITS_AND_SEED, Flag, Names, Number, Objects
from data.generated_shapestacks import scenes
from data.raycast import still_features

NAMES = Names(
  "generated_shapestacks",
  scenes.Options,
  [
    Number("size", after="px", least=8, most=1024, always=True),
    Objects(1, scenes.MAX_OBJECTS),
    Flag("blocks"),
    Number("samples", "samples", least=1, most=8),
    Flag("depth"),
    Flag("amodal"),
    *SPLITS_AND_SEED,
  ],
  examples="64px_2-6_blocks or 128px_3-3_train2000",
)


class Builder(GeneratedBuilder):
  """Towers of any legal config."""

  NAMES = NAMES
  DRAW = scenes.draw
  BUILDER_CONFIGS = [
    GeneratedConfig(name=NAMES.spell(options), options=options)
    for options in (scenes.Options(), scenes.Options(blocks=True))
  ]
  DEFAULT_CONFIG = BUILDER_CONFIGS[0].name
  SOURCE = "generated after ShapeStacks (Groth et al., 2018)"
  SIZE = "166 MB"
  HOMEPAGE = "https://shapestacks.robots.ox.ac.uk"

  def _features(self):
    features = still_features.features(self.options, self.options.max_objects)
    violations = {f"{name.replace(' ', '_')}_violation": np.int32 for name in scenes.VIOLATIONS}
    return features | {"label": np.int32, "factors": features["factors"] | violations}

  def _metadata(self):
    return still_features.metadata(
      self.options, self.options.max_objects, 1, scenes.FIELD_OF_VIEW
    ) | {"label_names": ["stable", "unstable"]}
