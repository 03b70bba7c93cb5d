"""OBJ3D: rooms with a few or many solids and their boxes, as TFDS records."""

import functools
import itertools

import numpy as np

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.obj3d import files
from data.raw.frames import first_size

SAMPLE = 16  # pictures read for the estimate of the size


class Builder(DownloadedBuilder, skip_registration=True):
  """Either variant from the unpacked archive, or from a part of it, in the published order."""

  NAMES = files.NAMES
  BUILDER_CONFIGS = named_configs(NAMES, *files.VARIANTS)
  DEFAULT_CONFIG = "small"
  ORDERED = True
  SOURCE = "3D rooms of zhixuan-lin/SPACE"
  LICENCE = "not stated by those who publish the pictures"
  SIZE = "156 MB (small) or 1.4 GB (large)"
  HOMEPAGE = "https://github.com/zhixuan-lin/SPACE"

  @classmethod
  def describe(cls, raw, options):
    counts = (f"{len(found)} {split}" for split, found in files.pictures(raw, options).items())
    return f"{files.archive(options)}: {', '.join(counts)}"

  def items(self):
    return files.pictures(self.raw, self.options)

  @functools.cached_property
  def make(self):
    every = self._every_picture()
    like = first_size(picture.image for picture in every)
    return functools.partial(files.read_example, rows=files.most_boxes(every), like=like)

  def estimate(self):
    every = self._every_picture()
    sample = every[:: -(-len(every) // SAMPLE)]
    return len(every), round(len(every) * self.mean_size(sample))

  def _features(self):
    return {
      "image": schema.picture(*self.make.keywords["like"].size, encoding=None),
      "bboxes": schema.numbers((self.make.keywords["rows"], 4)),
      "num_objects": np.int32,
      "metadata": schema.key(),
    }

  def _metadata(self):
    unlabelled = [split for split, found in self._items.items() if found[0].boxes is None]
    return {"max_objects": self.make.keywords["rows"], "splits_without_boxes": unlabelled}

  def _every_picture(self) -> list[files.Picture]:
    return list(itertools.chain(*self._items.values()))
