"""Where the files of one of the review's sets are."""

from pathlib import Path
from typing import NamedTuple

from data.review.scenes import SPLITS
from objectcentric_jax.errors import InputError


class Files(NamedTuple):
  """Either of the two formats."""

  hdf5: Path | None
  records: dict[str, Path]  # by split

  @property
  def every(self) -> list[Path]:
    return [*([self.hdf5] if self.hdf5 else []), *self.records.values()]


def find(raw: Path, name: str) -> Files:
  """The HDF5 file of a set, which holds more, or else the TFRecord files of its splits.

  Args:
    raw: the HDF5 file, the folder with it, or that with the TFRecord files or with their folder.
    name: of the set.

  Raises:
    InputError: there is none.
  """
  hdf5 = raw if raw.is_file() else raw / f"{name}.h5"
  if hdf5.is_file():
    return Files(hdf5, {})
  for folder in (raw / name, raw):
    paths = {split: folder / f"{published}.tfrecord" for split, published in SPLITS.items()}
    found = {split: path for split, path in paths.items() if path.is_file()}
    if found:
      return Files(None, found)
  raise InputError(f"--from {raw} holds neither {name}.h5 nor {name}/train.tfrecord and its like")
