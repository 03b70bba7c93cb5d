"""ShapeStacks: towers of solids that stand or fall, as TFDS records."""

import functools
import itertools

import numpy as np
import tensorflow_datasets as tfds

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.raw.frames import Like, first_size
from data.shapestacks import files
from data.shapestacks.names import NAMES, PUBLISHED_SPLITS
from data.shapestacks.views import LABELS, MOST_OBJECTS, read_view

SAMPLE = 16  # pictures read for the estimate of the size


class Builder(DownloadedBuilder, skip_registration=True):
  """The scenarios that the lists of a split name and that are there, one example a picture."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, *PUBLISHED_SPLITS)
  DEFAULT_CONFIG = "default"
  SOURCE = "ShapeStacks, shapestacks.robots.ox.ac.uk"
  LICENCE = "see the project's page; its code (ogroth/shapestacks) is GPL-3.0"
  SIZE = "33 GB"
  HOMEPAGE = "https://github.com/ogroth/shapestacks"

  make = staticmethod(read_view)

  @classmethod
  def describe(cls, raw, options):
    found, listed = files.find(raw, options)
    counts = (f"{len(found.get(split, ()))} of {n} {split}" for split, n in listed.items())
    return f"ShapeStacks {options.lists}, scenarios: {', '.join(counts)}"

  @functools.cached_property
  def like(self) -> Like:
    """A picture that gives all others their size."""
    return first_size(view.image for view in itertools.chain(*self._views(None).values()))

  def items(self):
    found = {split: list(views) for split, views in self._views(self.like).items()}
    return {split: views for split, views in found.items() if views}

  def _views(self, like):
    scenarios, _ = files.find(self.raw, self.options)
    return {
      split: itertools.chain.from_iterable(
        files.views(self.raw, scenario, self.options, like) for scenario in found
      )
      for split, found in scenarios.items()
    }

  def estimate(self):
    every = list(itertools.chain(*self._items.values()))
    sample = every[:: -(-len(every) // SAMPLE)]
    return len(every), round(len(every) * self.mean_size(sample))

  def _features(self):
    masks = {} if self.options.images else {"segmentation": schema.picture(*self.like.size, 1)}
    return {
      "image": schema.picture(*self.like.size),
      **masks,
      "num_objects": np.int32,
      "label": np.int32,
      "metadata": {
        **schema.key(),
        "scenario": tfds.features.Text(),
        "camera": np.int32,
        "walls": np.int32,
        "floor": np.int32,
        "lighting": np.int32,
        "colours": tfds.features.Text(),
      },
    }

  def _metadata(self):
    if self.options.images:
      return {"max_objects": MOST_OBJECTS}
    return {"labels": LABELS, "background_ids": [0], "max_objects": MOST_OBJECTS}
