"""Draws a contact sheet of a prepared dataset: images above their segmentations.

python -m data.show NAME[/variant] [--split train] [--out FILE.png] [--data-dir DIR]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from data.builder import quiet_tfds
from objectcentric_jax import records
from objectcentric_jax.errors import InputError, run_command
from objectcentric_jax.plots.scene import colour_labels, grid

ROWS, COLUMNS = 3, 8


def contact_sheet(directory: Path, split: str) -> np.ndarray:
  """The first examples of a split, uint8 [h, w, 3].

  Backgrounds of the segmentations are black.

  Args:
    directory: version directory of a prepared set with `image` and `segmentation`.
    split: one of its splits.

  Raises:
    InputError: the set has no such split.
  """
  builder = tfds.builder_from_directory(directory)
  if split not in builder.info.splits:
    raise InputError(f"--split {split}: {directory} has {', '.join(builder.info.splits)}")
  source = builder.as_data_source(split)
  examples = [source[index] for index in range(min(ROWS * COLUMNS, len(source)))]
  background_ids = records.metadata(directory)["background_ids"]
  rows = []
  for start in range(0, len(examples), COLUMNS):
    row = examples[start : start + COLUMNS]
    rows.append([example["image"] for example in row])
    rows.append([colour_labels(e["segmentation"][..., 0], background_ids) for e in row])
  return grid(rows)


def main(arguments: Sequence[str]) -> None:
  parser = argparse.ArgumentParser(
    prog="python -m data.show", description=__doc__.splitlines()[0], allow_abbrev=False
  )
  parser.add_argument("name", metavar="NAME[/variant]")
  parser.add_argument("--split", default="train")
  parser.add_argument("--out", type=Path, help="picture to write; NAME-variant-SPLIT.png here")
  parser.add_argument("--data-dir", help="folder of prepared sets")
  flags = parser.parse_args(arguments)
  directory = records.find(flags.name, records.data_root(flags.data_dir))
  records.verify(directory)
  out = flags.out or Path(f"{flags.name.replace('/', '-')}-{flags.split}.png")
  with quiet_tfds():
    sheet = contact_sheet(directory, flags.split)
  out.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(sheet).save(out)
  print(out)


if __name__ == "__main__":
  run_command(main)
