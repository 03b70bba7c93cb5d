"""What the builders share that convert downloaded files item by item."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from data.building import beam
from data.building.builder import RecordsBuilder
from data.building.names import Names
from data.building.stored_size import stored_bytes
from data.raw.damage import Attempt
from objectcentric_jax.errors import InputError


@dataclasses.dataclass(eq=False)
class DownloadedConfig(tfds.core.BuilderConfig):
  """A TFDS config that carries the options its name spells."""

  options: Any = None


def named_configs(names: Names, *spelled: str) -> list[DownloadedConfig]:
  """Configs for BUILDER_CONFIGS; those of other names are made when they are asked for."""
  return [DownloadedConfig(name=name, options=names.parse(name)) for name in spelled]


class DownloadedBuilder(RecordsBuilder, skip_registration=True):
  """Converts what is in a folder: a file, a record or a scene at a time.

  A dataset gives NAMES, HOMEPAGE, `describe`, `items`, `make`, `_features` and `estimate`, and with
  `_metadata` what else is to be known of the set.
  """

  VERSION = tfds.core.Version("1.0.0")
  GENERATED = False
  HOMEPAGE: ClassVar[str]
  NAMES: ClassVar[Names]
  ORDERED: ClassVar[bool] = False  # whether records are in the order of the items, not shuffled

  @classmethod
  def config_named(cls, name):
    known = {config.name: config for config in cls.BUILDER_CONFIGS}
    return known.get(name) or DownloadedConfig(name=name, options=cls.NAMES.parse(name))

  @property
  def options(self) -> Any:
    return self.builder_config.options

  @classmethod
  def source_of(cls, raw, config):
    if raw is None:
      raise InputError(f"{cls.name}/{config.name} is made of downloaded files: give --from RAW")
    if not raw.exists():
      raise InputError(f"--from {raw} does not exist")
    return cls.describe(raw, config.options)

  @classmethod
  @abc.abstractmethod
  def describe(cls, raw: Path, options: Any) -> str:
    """What there is to convert, with its number; InputError when there is nothing."""

  @abc.abstractmethod
  def items(self) -> Mapping[str, Iterable[Any]]:
    """What the examples of every split are made of, small (see `workers`) and in order.

    A split without any is left out.
    """

  @property
  @abc.abstractmethod
  def make(self) -> Callable[[Any], list[dict[str, Any]]]:
    """Makes the examples of an item, with their keys; of a module that workers can import."""

  @property
  def streamed(self) -> bool:
    """Whether items hold what was just read, too much to be sent to processes or all be kept."""
    return False

  def made(self, items: Iterable[Any]) -> Iterator[list[dict[str, Any]]]:
    """The examples of every item that can be used, in order; made in worker processes."""
    processes = 1 if self.streamed else self.processes
    return (examples for _, examples in self.guarded(items, self.make, processes))

  def mean_size(self, items: Iterable[Any]) -> float:
    """About how many bytes an example takes, by those of `items` that can be used."""
    attempts = map(Attempt(self.make), items)
    found = [example for made, damaged in attempts if damaged is None for example in made]
    return sum(map(stored_bytes, found)) / max(1, len(found))

  @abc.abstractmethod
  def _features(self) -> dict[str, Any]:
    """The features of an example."""

  def _metadata(self) -> dict[str, Any]:
    """What the metadata of the set say besides `source`."""
    return {}

  @functools.cached_property
  def _items(self) -> Mapping[str, Iterable[Any]]:
    return self.items()

  def _info(self):
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(self._features()),
      homepage=self.HOMEPAGE,
      license=self.LICENCE,
      disable_shuffling=self.ORDERED,
      metadata=tfds.core.MetadataDict(**self._metadata(), source=self.source),
    )

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    if self.beam_notes is None:
      return {split: self._generate_examples(split) for split in self._items}
    if self.streamed:
      raise InputError(f"--beam: {self.source} can only be read from its beginning; leave it out")
    return {
      split: beam.examples(items, self.make, self.beam_notes, self.skip_damaged)
      for split, items in self._items.items()
    }

  def _generate_examples(self, split):
    count = 0
    for examples in self.made(self._items[split]):
      for example in examples:
        yield example["metadata"]["key"], example
      count += len(examples)
      self.progress.advance(len(examples))
    if not count:
      raise InputError(f"--from {self.raw}: nothing of the split {split} can be used")
