"""DAVIS 2016 and 2017: frames of videos with masks of the moving objects, as TFDS records."""

from data.building.downloaded_builder import named_configs
from data.building.object_views_builder import ObjectViewsBuilder
from data.davis import sequences


class Builder(ObjectViewsBuilder, skip_registration=True):
  """DAVIS of either year from the downloaded files, or from a part of them."""

  NAMES = sequences.NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "2016", "2017")
  DEFAULT_CONFIG = "2016"
  SOURCE = "DAVIS, davischallenge.org"
  LICENCE = "BSD (davisvideochallenge/davis)"
  HOMEPAGE = "https://davischallenge.org"

  @classmethod
  def describe(cls, raw, options):
    there, listed = sequences.count(raw, options)
    return f"DAVIS {options.year}, {there} of {listed} sequences"

  def find(self):
    return sequences.find(self.raw, self.options)
