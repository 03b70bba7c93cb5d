"""Writes a prepared set of views of objects as folders, OBJECT/{imgs,masks}/VIEW.png.

python -m data.object_folders.export NAME[/variant] FOLDER [--data-dir DIR]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from data.building.builder import quiet_tfds
from data.building.png import encode_png
from data.raw.rgb_files import png
from objectcentric_jax import records
from objectcentric_jax.errors import InputError, run_command


def export(directory: Path, target: Path) -> int:
  """Writes the views of all splits, and returns how many there are.

  Args:
    directory: version directory of a prepared set.
    target: a new or empty folder. Masks are 0 and 255.

  Raises:
    InputError: a set of something else, or a folder that holds something.
  """
  if target.exists() and (not target.is_dir() or any(target.iterdir())):
    raise InputError(f"{target} is not empty: name a new folder")
  builder = tfds.builder_from_directory(directory)
  features = builder.info.features
  if "segmentation" not in features or "object_name" not in features["metadata"]:
    raise InputError(f"{directory} is no set of views of objects")
  count = 0
  for split in builder.info.splits:
    for example in builder.as_data_source(split):
      _write(example, target)
      count += 1
  return count


def _write(example: dict, target: Path) -> None:
  name = example["metadata"]["object_name"].decode()
  view = example["metadata"]["key"].decode().removeprefix(f"{name}/")
  mask = np.where(example["segmentation"] > 0, np.uint8(255), np.uint8(0))
  for folder, content in (("imgs", png(example["image"])), ("masks", encode_png(mask))):
    path = target / name.replace("/", "_") / folder / f"{view}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main(arguments: Sequence[str]) -> None:
  parser = argparse.ArgumentParser(
    prog="python -m data.object_folders.export",
    description=__doc__.splitlines()[0],
    allow_abbrev=False,
  )
  parser.add_argument("name", metavar="NAME[/variant]")
  parser.add_argument("folder", type=Path)
  parser.add_argument("--data-dir", help="folder of prepared sets")
  flags = parser.parse_args(arguments)
  directory = records.find(flags.name, records.data_root(flags.data_dir))
  records.verify(directory)
  with quiet_tfds():
    print(f"{export(directory, flags.folder)} views in {flags.folder}")


if __name__ == "__main__":
  run_command(main)
