"""CO3D: frames of videos around an object, with soft masks and depths, as TFDS records."""

import functools

from data.building import schema
from data.building.downloaded_builder import named_configs
from data.building.object_views_builder import ObjectViewsBuilder
from data.co3d import sequences
from data.co3d.frames import Frame, read_frame


class Builder(ObjectViewsBuilder, skip_registration=True):
  """The categories of CO3D, version 1 or 2, that were downloaded."""

  NAMES = sequences.NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "all", "all_depth")
  DEFAULT_CONFIG = "all"
  SOURCE = "CO3D, facebookresearch/co3d"
  LICENCE = "see facebookresearch/co3d"
  SIZE = "5.5 TB (version 2)"
  HOMEPAGE = "https://github.com/facebookresearch/co3d"

  read = staticmethod(read_frame)

  @classmethod
  def describe(cls, raw, options):
    return f"CO3D, {len(sequences.find(raw, options))} sequences"

  def find(self):
    return sequences.find(self.raw, self.options)

  def pairs(self, folders):
    if self.options.depth:
      self._scales(folders.name.partition("/")[0])  # here, where damage can be left out
    return super().pairs(folders)

  def view(self, view):
    if not self.options.depth:
      return Frame(view)
    category, sequence = view.object_name.split("/")
    return Frame(view, self._scales(category).get((sequence, view.image.name)), depth=True)

  @functools.cached_property
  def _scales(self):
    """The function from a category to the scales of its depths; each is read once."""
    return functools.cache(lambda category: sequences.read_scales(self.raw / category))

  def _features(self):
    depth = {"depth": schema.array((None, None, 1))} if self.options.depth else {}
    return {**super()._features(), "mask": schema.picture(channels=1), **depth}

  def _metadata(self):
    return {**super()._metadata(), **({"depth": "z"} if self.options.depth else {})}
