"""Grey rooms with few or many small objects, as TFDS records."""

from data.building.generated_builder import GeneratedBuilder, GeneratedConfig
from data.building.names import SPLITS_AND_SEED, Flag, Names, Number, Objects
from data.generated_rooms3d import scenes
from data.raycast import still_features

NAMES = Names(
  "generated_rooms3d",
  scenes.Options,
  [
    Number("size", after="px", least=8, most=1024, always=True),
    Objects(1, 40),
    Number("samples", "samples", least=1, most=8),
    Flag("depth"),
    Flag("amodal"),
    *SPLITS_AND_SEED,
  ],
  examples="128px_18-24 or 64px_4-8_train2000",
)


class Builder(GeneratedBuilder):
  """Rooms of any legal config."""

  NAMES = NAMES
  DRAW = scenes.draw
  BUILDER_CONFIGS = [
    GeneratedConfig(name=NAMES.spell(options), options=options)
    for options in (scenes.Options(), scenes.Options(min_objects=18, max_objects=24))
  ]
  DEFAULT_CONFIG = BUILDER_CONFIGS[0].name
  SOURCE = "generated after the 3D rooms of SPACE (Lin et al., 2020)"
  SIZE = "151 MB"
  HOMEPAGE = "https://sites.google.com/view/space-project-page"

  def _features(self):
    return still_features.features(self.options, self.options.max_objects)

  def _metadata(self):
    return still_features.metadata(self.options, self.options.max_objects, 1, scenes.FIELD_OF_VIEW)
