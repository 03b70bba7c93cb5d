"""Rooms with a few coloured objects, as TFDS records."""

from data.building.generated_builder import GeneratedBuilder, GeneratedConfig
from data.building.names import SPLITS_AND_SEED, Choice, Flag, Names, Number
from data.generated_objects_room import scenes
from data.raycast import still_features

NAMES = Names(
  "generated_objects_room",
  scenes.Options,
  [
    Number("size", after="px", least=8, most=1024, always=True),
    Choice("variant", tuple(name for name in scenes.OBJECTS if name)),
    Number("samples", "samples", least=1, most=8),
    Flag("depth"),
    Flag("amodal"),
    *SPLITS_AND_SEED,
  ],
  examples="64px_six_objects or 32px_train2000",
)


class Builder(GeneratedBuilder):
  """Objects rooms of any legal config."""

  NAMES = NAMES
  DRAW = scenes.draw
  BUILDER_CONFIGS = [
    GeneratedConfig(name=NAMES.spell(options), options=options)
    for options in (scenes.Options(variant=variant) for variant in scenes.OBJECTS)
  ]
  DEFAULT_CONFIG = BUILDER_CONFIGS[0].name
  SOURCE = "generated after the objects room of deepmind/multi_object_datasets"
  SIZE = "224 MB"
  HOMEPAGE = "https://github.com/google-deepmind/multi_object_datasets"

  def _features(self):
    return still_features.features(self.options, self.options.max_objects)

  def _metadata(self):
    return still_features.metadata(
      self.options, self.options.max_objects, scenes.FIRST_OBJECT, scenes.FIELD_OF_VIEW
    )
