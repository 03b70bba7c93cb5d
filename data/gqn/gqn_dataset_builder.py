"""GQN: rooms and mazes seen from several places each, as TFDS records."""

import functools
import itertools

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.gqn import files, scenes
from data.gqn.names import NAMES, VERSIONS
from data.raw.tfrecord import estimated_count


class Builder(DownloadedBuilder, skip_registration=True):
  """Any of the published versions, from all files or some; one example a scene."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, *VERSIONS)
  DEFAULT_CONFIG = "rooms_ring_camera"
  SOURCE = "GQN datasets, google-deepmind/gqn-datasets"
  LICENCE = "none found with the files"
  SIZE = "250 GB"
  HOMEPAGE = "https://github.com/google-deepmind/gqn-datasets"

  @classmethod
  def describe(cls, raw, options):
    found = files.find(raw, options)
    counts = ", ".join(f"{len(paths)} {split}" for split, paths in found.items())
    return f"GQN {options.version}, files: {counts}"

  @functools.cached_property
  def files(self):
    """Those of every split."""
    return files.find(self.raw, self.options)

  @functools.cached_property
  def shape(self) -> scenes.Shape:
    """Views of a scene, and their height and width."""
    return scenes.first_shape(itertools.chain.from_iterable(self.items().values()))

  def items(self):
    return {split: scenes.scenes(split, paths) for split, paths in self.files.items()}

  @property
  def make(self):
    return functools.partial(scenes.read_scene, shape=self.shape)

  def estimate(self):
    paths = list(itertools.chain.from_iterable(self.files.values()))
    return estimated_count(paths), sum(path.stat().st_size for path in paths)

  def _features(self):
    views, height, width = self.shape
    return {
      "views": schema.pictures(views, height, width, encoding="jpeg"),
      "camera": schema.numbers((views, scenes.CAMERA)),
      "metadata": schema.key(),
    }
