"""The seven sets of a review of compositional scene representation, as TFDS records."""

import functools

import numpy as np

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.review import hdf5, records
from data.review.files import Files, find
from data.review.names import NAMES, SETS
from data.review.scenes import Size
from objectcentric_jax.errors import InputError


class Builder(DownloadedBuilder, skip_registration=True):
  """One set, from its HDF5 file or from the TFRecord files of its splits."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, *SETS)
  DEFAULT_CONFIG = "dsprites"
  SOURCE = "jinyangyuan/compositional-scene-representation-datasets"
  LICENCE = "not stated with the files"
  HOMEPAGE = "https://github.com/jinyangyuan/compositional-scene-representation-datasets"

  @classmethod
  def describe(cls, raw, options):
    names = ", ".join(path.name for path in find(raw, options.name).every)
    return f"review {options.name}: {names}"

  @functools.cached_property
  def files(self) -> Files:
    """Of the set."""
    return find(self.raw, self.options.name)

  @functools.cached_property
  def sizes(self) -> dict[str, Size]:
    """What the scenes of every split are like."""
    if self.files.hdf5:
      found = hdf5.sizes(self.files.hdf5)
    else:
      found = {split: records.size_of(path) for split, path in self.files.records.items()}
    if not found:
      raise InputError(f"--from {self.raw}: {self.files.hdf5.name} holds no split")
    if len({(size.height, size.width) for size in found.values()}) > 1:
      raise InputError(f"--from {self.raw} has splits of pictures of different sizes")
    return found

  def items(self):
    if self.files.hdf5:
      return {
        split: hdf5.batches(self.files.hdf5, split, size) for split, size in self.sizes.items()
      }
    return {
      split: records.scenes(self.files.records[split], split, size)
      for split, size in self.sizes.items()
    }

  @property
  def make(self):
    return hdf5.read_batch if self.files.hdf5 else records.read_scene

  @property
  def streamed(self):
    return not self.files.hdf5

  def estimate(self):
    size = sum(path.stat().st_size for path in self.files.every)
    return sum(size.count for size in self.sizes.values()), size

  @property
  def max_objects(self) -> int:
    """The most objects of any split."""
    return max(size.objects for size in self.sizes.values())

  def _features(self):
    height, width = next((size.height, size.width) for size in self.sizes.values())
    rows = {size.objects for size in self.sizes.values()}
    shapes = (rows.pop() if len(rows) == 1 else None, height, width, 1)
    amodal = {"amodal_masks": schema.array(shapes, np.uint8)} if self.files.hdf5 else {}
    return {
      "image": schema.picture(height, width),
      "segmentation": schema.picture(height, width, 1),
      **amodal,
      "num_objects": np.int32,
      "metadata": schema.key(),
    }

  def _metadata(self):
    return {"labels": self.max_objects + 1, "background_ids": [0], "max_objects": self.max_objects}
