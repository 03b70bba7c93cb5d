"""Draws a contact sheet of a prepared dataset: its first examples and what is known of them.

python -m data.show NAME[/variant] [--split train] [--out FILE.png] [--data-dir DIR]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from data.building.builder import quiet_tfds
from data.sheet import contact_sheet
from objectcentric_jax import records
from objectcentric_jax.errors import run_command
from objectcentric_jax.plots.grid import save


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
  save(out, sheet)
  print(out)


if __name__ == "__main__":
  run_command(main)
