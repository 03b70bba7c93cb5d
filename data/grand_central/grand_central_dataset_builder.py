"""Grand Central Station: the frames of one long video of a crowd, as TFDS records."""

from data.building.downloaded_builder import named_configs
from data.building.frame_sequences import FrameSequencesBuilder
from data.grand_central import station


class Builder(FrameSequencesBuilder, skip_registration=True):
  """The frames as they are, the last tenth being the test split; crops and clips come later."""

  NAMES = station.NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "full")
  DEFAULT_CONFIG = "full"
  SOURCE = "video of Grand Central Station, as JindongJiang/SCALOR reads it"
  LICENCE = "not stated by those who publish the frames"
  HOMEPAGE = "https://github.com/JindongJiang/SCALOR"

  make = staticmethod(station.read_frame)

  @classmethod
  def describe(cls, raw, options):
    return f"{sum(map(len, station.frames(raw).values()))} frames"

  def items(self):
    return station.frames(self.raw)
