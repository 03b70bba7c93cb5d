"""The same builders on Apache Beam, for sets too big for one machine (the extra `beam`).

Every item of a `DownloadedBuilder` is a step of a Beam pipeline, whose examples TFDS shuffles and
writes: the same shards as without Beam, byte for byte. On more than one machine the raw files and
the folder of prepared sets must be where all machines can reach them.
"""

import contextlib
import hashlib
import logging
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data.raw.damage import Damaged
from objectcentric_jax.errors import InputError

LOCAL = "--runner=DirectRunner"


def download_config(options: str, **settings: Any) -> tfds.download.DownloadConfig:
  """TFDS's settings for a pipeline with these options, such as "--runner=FlinkRunner ...".

  Raises:
    InputError: Beam is not installed, or does not know an option.
  """
  try:
    from apache_beam.options.pipeline_options import PipelineOptions
  except ImportError as error:
    raise InputError(
      f'--beam needs Apache Beam ({error}): pip install "objectcentric_jax[beam]"'
    ) from None
  logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # what it raises is said once
  return tfds.download.DownloadConfig(
    beam_options=PipelineOptions(shlex.split(options or LOCAL)), **settings
  )


def examples(
  items: Iterable[Any], make: Callable[[Any], list[dict[str, Any]]], notes: Path, skip: bool
) -> Any:
  """A transform that gives (key, example) of every item.

  Args:
    items: of `DownloadedBuilder.items`.
    make: of `DownloadedBuilder.make`.
    notes: folder where damage is noted, see `damage_reported`.
    skip: whether the pipeline goes on after damage.
  """
  import apache_beam as beam

  # Without the shuffle an item would stay on the machine that listed it.
  return beam.Create(list(items)) | beam.Reshuffle() | beam.FlatMap(_made, make, notes, skip)


@contextlib.contextmanager
def damage_reported(notes: Path, damaged: list[Damaged]) -> Iterator[None]:
  """Around a pipeline: adds what it left out to `damaged`, or raises the damage that stopped it."""
  notes.mkdir()
  try:
    yield
  except Exception:
    found = _noted(notes)
    if found:
      raise found[0] from None
    raise
  damaged.extend(_noted(notes))


def _noted(notes: Path) -> list[Damaged]:
  found = [note.read_text().split("\n", 1) for note in notes.iterdir()]
  return [Damaged(path, reason) for path, reason in sorted(found)]


def _made(
  item: Any, make: Callable[[Any], list[dict[str, Any]]], notes: Path, skip: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
  try:
    made = make(item)
  except Damaged as error:
    text = f"{error.path}\n{error.reason}"
    # The name follows from the text: an item that is tried again is noted once.
    (notes / hashlib.sha256(text.encode()).hexdigest()).write_text(text)
    if not skip:
      raise
    return
  for example in made:
    yield example["metadata"]["key"], example
