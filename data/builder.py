"""What every dataset builder shares: how `data.prepare` makes, feeds, follows and describes it."""

import abc
import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import ClassVar

import tensorflow_datasets as tfds
from absl import logging
from tensorflow_datasets.core import writer
from tensorflow_datasets.proto import tf_example_pb2

from data.progress import Progress


class SortedFieldsWriter(writer.ExampleWriter):
  """Writes shards that are the same, byte for byte, each time.

  TFDS serialises the fields of an example in an order that differs from process to process.
  """

  def write(self, path, examples):
    """Writes (key, serialised example) pairs, see `writer.ExampleWriter`."""
    return super().write(path, ((key, _sorted_fields(record)) for key, record in examples))


def _sorted_fields(record: bytes) -> bytes:
  return tf_example_pb2.Example.FromString(record).SerializeToString(deterministic=True)


class RecordsBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """A TFDS builder of ArrayRecord shards that can be followed while it works.

  A dataset is a folder `data/<name>/` with `<name>_dataset_builder.py`, whose class `Builder`
  derives from this one. TFDS fills in the rest of `_info` and `_generate_examples`; pictures must
  reach the features as PNG or JPEG bytes, because TFDS encodes arrays with TensorFlow.
  """

  SOURCE: ClassVar[str]  # where the data come from, one line
  LICENCE: ClassVar[str]
  GENERATED: ClassVar[bool]  # can be made without raw files
  DEFAULT_CONFIG: ClassVar[str]

  def __init__(
    self,
    *,
    config: str | tfds.core.BuilderConfig | None = None,
    data_dir: str | os.PathLike | None = None,
    version: str | None = None,
    file_format: str = "array_record",
    raw: pathlib.Path | None = None,
    processes: int = 1,
  ):
    """Opens a builder, in TFDS's way, so that `tfds.builder` can too.

    Args:
      config: the config or its name, which may be any that `config_named` takes.
      data_dir: root under which `<name>/<config>/<version>` is; what a builder needs on the way it
        keeps beside that, since `data.prepare` gives a temporary folder.
      version: as in TFDS.
      file_format: without TensorFlow only "array_record" can be read.
      raw: file or folder of downloaded raw data.
      processes: worker processes; never changes the data.

    Raises:
      InputError: a config name or raw files that cannot be used.
    """
    config = self.config_named(getattr(config, "name", config) or self.DEFAULT_CONFIG)
    self.raw = raw
    self.source = self.source_of(raw, config)
    self.processes = processes
    self.progress = Progress()
    super().__init__(config=config, data_dir=data_dir, version=version, file_format=file_format)

  def _example_writer(self):
    return SortedFieldsWriter(self.info.file_format)

  @classmethod
  @abc.abstractmethod
  def config_named(cls, name: str) -> tfds.core.BuilderConfig:
    """The config of that name. InputError, with what is legal, when there is none."""

  @classmethod
  @abc.abstractmethod
  def source_of(cls, raw: pathlib.Path | None, config: tfds.core.BuilderConfig) -> str:
    """The `source` in the metadata of the set: "generated", or the raw format converted."""

  def scratch_bytes(self) -> int:
    """What a build needs on disk beside the set itself."""
    return 0

  @abc.abstractmethod
  def estimate(self) -> tuple[int, int]:
    """Number of examples of all splits together and about how many bytes they will take."""


@contextlib.contextmanager
def quiet_tfds() -> Iterator[None]:
  """Keeps TFDS's bars and warnings (a config of one's own, no OpenCV) out of our lines."""
  tfds.disable_progress_bar()
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)
  try:
    yield
  finally:
    logging.set_verbosity(verbosity)
