"""APC 2016: one product on a shelf or in a tote, as TFDS records."""

import functools
import itertools

import numpy as np
import tensorflow_datasets as tfds

from data.apc import frames
from data.apc.names import NAMES
from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs

SAMPLE = 16  # frames read for the estimate of the size


class Builder(DownloadedBuilder, skip_registration=True):
  """The frames of the training set that are there, one example each."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "128px")
  DEFAULT_CONFIG = "128px"
  SOURCE = "MIT-Princeton Amazon Picking Challenge 2016, object segmentation training set"
  LICENCE = "not stated with the files"
  SIZE = "130 GB"
  HOMEPAGE = "http://apc.cs.princeton.edu"

  @classmethod
  def describe(cls, raw, options):
    counts = ", ".join(f"{len(found)} {split}" for split, found in frames.find(raw).items())
    return f"APC 2016, frames: {counts}"

  def items(self):
    return frames.find(self.raw)

  @property
  def make(self):
    return functools.partial(frames.read_frame, size=self.options.size)

  def estimate(self):
    every = list(itertools.chain.from_iterable(self._items.values()))
    sample = every[:: -(-len(every) // SAMPLE)]
    return len(every), round(len(every) * self.mean_size(sample))

  def _features(self):
    size = self.options.size
    return {
      "image": schema.picture(size, size),
      "segmentation": schema.picture(size, size, 1),
      "num_objects": np.int32,
      "metadata": {
        **schema.key(),
        "environment": tfds.features.Text(),
        "object_name": tfds.features.Text(),
        "frame": np.int32,
      },
    }

  def _metadata(self):
    return {"labels": 2, "background_ids": [0], "max_objects": 1}
