"""Where the published TFRecord files of MOVi are."""

from pathlib import Path

from data.movi.names import Options
from data.movi.videos import Factor
from objectcentric_jax.errors import InputError

SPLITS = ("train", "validation", "test")


def find(raw: Path, options: Options) -> Path:
  """The folder with the files of a config.

  Args:
    raw: that folder, or one of those above it as published (`movi_a/128x128/1.0.0`).
    options: of the config.

  Raises:
    InputError: they are in none of these.
  """
  name, size = f"movi_{options.letter}", f"{options.side}x{options.side}"
  for place in (raw, raw / size, raw / name / size):
    for folder in (place, *sorted(place.glob("[0-9]*.[0-9]*.[0-9]*/"))):
      if any(shards(folder, options).values()):
        return folder
  raise InputError(
    f"--from {raw} holds no files {name}-<split>.tfrecord-*, nor does {name}/{size}/<version> in it"
  )


def shards(folder: Path, options: Options) -> dict[str, list[Path]]:
  """The files of every split in their order; some of them may not be there."""
  pattern = "movi_{}-{}.tfrecord-[0-9]*-of-[0-9]*"
  return {split: sorted(folder.glob(pattern.format(options.letter, split))) for split in SPLITS}


def published_count(path: Path) -> int:
  """How many files its split has where it is published."""
  return int(path.name.rpartition("-of-")[2])


def class_names(folder: Path, factor: Factor) -> list[str]:
  """The names of a factor's classes; none where it has no classes or their file is not there."""
  path = folder / f"instances-{factor.published}.labels.txt"
  return path.read_text().splitlines() if path.is_file() else []
