"""The builder of sets that are drawn here and need no files."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from data.building.builder import RecordsBuilder
from data.building.generated import SPLITS, Batch, Splits, draw_batch
from data.building.names import Names
from data.building.stored_size import stored_bytes
from data.building.workers import ordered_map
from objectcentric_jax.errors import InputError


@dataclasses.dataclass(eq=False)
class GeneratedConfig(tfds.core.BuilderConfig):
  """A TFDS config that carries the options its name spells."""

  options: Splits = Splits()


class GeneratedBuilder(RecordsBuilder, skip_registration=True):
  """Draws every scene by a function of the options, the split and the scene's index.

  A dataset gives NAMES, DRAW, DEFAULT_CONFIG and `_features`, and what else it wants to be known of
  the set with `_metadata`.
  """

  VERSION = tfds.core.Version("1.0.0")
  LICENCE = "generated: that of this library"
  GENERATED = True
  NAMES: ClassVar[Names]
  # Of the top level of a module without jax and tfds; pictures as PNG files, see `workers`.
  DRAW: ClassVar[Callable[[Splits, str, int], dict[str, Any]]]
  BATCH: ClassVar[int] = 32  # scenes of one task of a worker
  SAMPLE: ClassVar[int] = 16  # scenes drawn for the estimate of the size
  HOMEPAGE: ClassVar[str]

  @classmethod
  def config_named(cls, name):
    known = {config.name: config for config in cls.BUILDER_CONFIGS}
    return known.get(name) or GeneratedConfig(name=name, options=cls.NAMES.parse(name))

  @property
  def options(self) -> Splits:
    return self.builder_config.options

  @classmethod
  def source_of(cls, raw, config):
    if raw is not None:
      raise InputError(f"--from {raw}: {cls.name} is drawn, it takes no files")
    return "generated"

  def estimate(self):
    count = sum(self.options.count(split) for split in SPLITS)
    sample = draw_batch(self._batch("train", 0, min(self.SAMPLE, self.options.train)))
    return count, round(count * np.mean([stored_bytes(example) for example in sample]))

  @abc.abstractmethod
  def _features(self) -> dict[str, Any]:
    """The features of an example but for `metadata`."""

  @abc.abstractmethod
  def _metadata(self) -> dict[str, Any]:
    """What the metadata of the set say besides seed and source."""

  def _info(self):
    features = {**self._features(), "metadata": {"key": tfds.features.Text()}}
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(features),
      homepage=self.HOMEPAGE,
      license=self.LICENCE,
      metadata=tfds.core.MetadataDict(
        **self._metadata(), seed=self.options.seed, source=self.source
      ),
    )

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    return {split: self._generate_examples(split) for split in SPLITS}

  def _generate_examples(self, split):
    count = self.options.count(split)
    batches = (
      self._batch(split, start, min(count, start + self.BATCH))
      for start in range(0, count, self.BATCH)
    )
    index = 0
    for examples in ordered_map(draw_batch, batches, self.processes):
      for example in examples:
        key = f"{split}-{index:08d}"
        yield key, {**example, "metadata": {"key": key}}
        index += 1
      self.progress.advance(len(examples))

  def _batch(self, split, start, stop):
    return Batch(type(self).DRAW, self.options, split, start, stop)
