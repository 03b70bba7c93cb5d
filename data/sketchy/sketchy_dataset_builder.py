"""Sketchy: a robot's arm over a basket of blocks, as TFDS records."""

import functools
import itertools

import numpy as np
import tensorflow_datasets as tfds

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.raw.tfrecord import estimated_count
from data.sketchy import episodes
from data.sketchy.names import NAMES

SAMPLE = 4  # time steps read for the estimate of the size


class Builder(DownloadedBuilder, skip_registration=True):
  """The episodes that are there; every square that is cut from a frame is an example."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "128px_all", "128px_full")
  DEFAULT_CONFIG = "128px_all"
  SOURCE = "Sketchy, google-deepmind/deepmind-research"
  LICENCE = "not stated with the files"
  SIZE = "5 TB"
  HOMEPAGE = "https://github.com/google-deepmind/deepmind-research/tree/master/sketchy"

  @classmethod
  def describe(cls, raw, options):
    counts = ", ".join(f"{len(paths)} {split}" for split, paths in episodes.find(raw).items())
    return f"Sketchy, episodes: {counts}"

  @functools.cached_property
  def files(self):
    """Those of every split."""
    return episodes.find(self.raw)

  def items(self):
    return episodes.steps(self.files)

  @property
  def make(self):
    return functools.partial(episodes.read_step, options=self.options)

  def estimate(self):
    paths = list(itertools.chain.from_iterable(self.files.values()))
    parts = len(episodes.VIEWS) * len(episodes.squares(self.options.crops))
    count = estimated_count(paths) * parts
    every = itertools.chain.from_iterable(self.items().values())
    return count, round(count * self.mean_size(itertools.islice(every, SAMPLE)))

  def _features(self):
    return {
      "image": schema.picture(self.options.size, self.options.size),
      "metadata": {
        **schema.key(),
        "file": tfds.features.Text(),
        "episode": np.int32,
        "time": np.int32,
        "view": tfds.features.Text(),
        "crop": tfds.features.Text(),
      },
    }
