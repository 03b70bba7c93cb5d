"""Building the records of a case and reading them back as a training does."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from configs import sections
from data.building.builder import quiet_tfds
from data.prepare import prepare
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.input.examples import open_split
from tests.golden.case import Result

JPEG = 8.0  # grey levels by which decoders of JPEG may differ


class Prepared:
  """A prepared set, for as long as a case is compared."""

  def __init__(self, name: str, root: Path, directory: Path):
    self._name, self._root, self._builder = name, root, tfds.builder_from_directory(directory)

  def examples(
    self,
    split: str,
    fields: Sequence[str] = ("image",),
    preprocess: Sequence[Mapping[str, Any]] = (),
  ) -> Examples:
    """The examples of a split, as evaluation reads them."""
    config = sections.base().data
    config.update(name=self._name, directory=str(self._root), side=0, memory=0.0)
    config.update(fields=tuple(fields), preprocess=tuple(preprocess))
    return open_split(config, split)

  def keys(self, split: str) -> list[str]:
    """The keys of a split's records, in their order."""
    stored = self._builder.info.features["metadata"]["key"]
    features = tfds.features.FeaturesDict({"metadata": {"key": stored}})
    records = self._builder.as_data_source(split).data_source
    found = map(features.deserialize_example_np, records.__getitems__(range(len(records))))
    return [example["metadata"]["key"].decode() for example in found]

  def example(self, split: str, key: str, **choices) -> dict[str, np.ndarray]:
    """The example whose key ends with `key`; what `choices` say is as in `examples`."""
    (place,) = (i for i, found in enumerate(self.keys(split)) if found.endswith(key))
    return read(self.examples(split, **choices), place)


@contextmanager
def prepared(name: str, raw: Path) -> Iterator[Prepared]:
  """A set made of raw files as `python -m data.prepare NAME --from RAW` does."""
  with TemporaryDirectory() as folder, quiet_tfds():
    with redirect_stdout(StringIO()):
      directory = prepare(name, folder, raw, processes=1)
    yield Prepared(name, Path(folder), directory)


def read(examples: Examples, place: int) -> dict[str, np.ndarray]:
  """One example, without the axis of the batch."""
  batch = examples.read(np.array([place]))
  return {name: array[0] for name, array in batch.items()}


def difference(name: str, found: np.ndarray, expected: np.ndarray, tolerance: float = 0) -> Result:
  """The largest difference of two arrays; infinite where shape or kind of numbers differ."""
  alike = found.shape == expected.shape and found.dtype.kind == expected.dtype.kind
  if not alike:
    return Result(name, np.inf, tolerance)
  error = np.abs(found.astype(np.float64) - expected.astype(np.float64)).max(initial=0)
  return Result(name, float(error), tolerance)
