"""Opening HDF5 files.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.raw.damage import Damaged
from objectcentric_jax.errors import InputError


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
  """The file, for reading; whatever h5py meets in it is damage.

  Raises:
    Damaged: it is missing, cut short, or no HDF5.
    InputError: h5py is not installed.
  """
  try:
    import h5py
  except ModuleNotFoundError:
    raise InputError(f"{path} needs h5py: pip install 'objectcentric_jax[hdf5]'") from None
  if not path.is_file():
    raise Damaged(path, "does not exist")
  try:
    with h5py.File(path, "r") as file:
      yield file
  except (OSError, RuntimeError, KeyError) as error:
    raise Damaged(path, f"cannot be read as HDF5 ({error}); was it fully downloaded?") from None
