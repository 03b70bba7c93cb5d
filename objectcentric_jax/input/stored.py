"""One split of a prepared set as it is stored: its records, their number, where sequences lie."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input import clips, decoding, fields

_CHUNK = 256  # records looked at together
LONG_SEQUENCES = "sequences"  # in the metadata of a set: frames of each, by split
FRAMES_PER_RECORD = "frames_per_record"


class StoredSplit:
  """The records of a split and their decoder; can be sent to worker processes.

  Attributes:
    directory: version directory of the set.
    names: the fields that are decoded.
  """

  def __init__(
    self, directory: Path, split: str, asked: Sequence[str], max_objects: int | None = None
  ):
    """Opens a split.

    Args:
      directory: version directory of a prepared set.
      split: a split of it, or a part of one, or several joined by +.
      asked: the fields to read, as in `config.data.fields`.
      max_objects: of the set, where it says so.

    Raises:
      InputError: no such split or field.
    """
    self.directory, self._split, self._asked = directory, split, asked
    self._max_objects = max_objects
    self._open()

  def _open(self):
    import tensorflow_datasets as tfds  # slow to import, and only needed here

    builder = tfds.builder_from_directory(str(self.directory))
    splits = builder.info.splits
    for part in self._split.split("+"):
      if part.partition("[")[0] not in splits:
        raise InputError(
          f"dataset {self.directory} has no split {self._split!r}; it has {', '.join(splits)}"
        )
    try:
      self._records = builder.as_data_source(split=self._split).data_source
      self._parts = tfds.core.ReadInstruction.from_spec(self._split).to_absolute(splits)
    except ValueError as error:
      reason = str(error).partition("\n")[0]
      raise InputError(
        f"dataset {self.directory}: no examples in split {self._split!r}: {reason}"
      ) from None
    self._features = decoding.flat(builder.info.features)
    self.names = fields.chosen(self._asked, self._features, f"dataset {self.directory}")
    self.decode = decoding.Decoder(self._features, self.names, self._max_objects)

  def __getstate__(self):
    return {n: getattr(self, n) for n in ("directory", "_split", "_asked", "_max_objects")}

  def __setstate__(self, state):
    self.__dict__.update(state)
    self._open()

  def __len__(self) -> int:
    return len(self._records)

  def records(self, numbers: Sequence[int]) -> list[bytes]:
    """The records of these numbers."""
    return self._records.__getitems__([int(number) for number in numbers])

  def sizes_differ(self) -> bool:
    """Whether pictures may differ in height or width from example to example."""
    return any(
      None in field.shape[-3:-1]
      for name, field in self.decode.fields.items()
      if name in fields.PICTURES
    )

  def lengths_differ(self) -> bool:
    """Whether videos may differ in length from example to example."""
    return any(field.framed and field.shape[0] is None for field in self.decode.fields.values())

  def within(self, least: int, most: int) -> np.ndarray:
    """The numbers of the records with so many objects; all of them without limits (0).

    With limits every record is read once to learn its number.

    Raises:
      InputError: the set does not say how many, or none has.
    """
    if not least and not most:
      return np.arange(len(self))
    where = f"config.data.min_objects {least} and max_objects {most}"
    if "num_objects" not in self._features:
      raise InputError(f"{where}: dataset {self.directory} has no num_objects to choose by")
    decode = decoding.Decoder(self._features, ["num_objects"], None)
    counts = np.array([decode(record)["num_objects"] for record in self._all()])
    kept = np.flatnonzero((counts >= least) & ((counts <= most) | (most == 0)))
    if not len(kept):
      found = f"{counts.min()} to {counts.max()}"
      raise InputError(f"{where}: {self._split} of {self.directory} has scenes of {found} objects")
    return kept

  def sequences(
    self, metadata: Mapping[str, Any], kept: np.ndarray, counted: bool
  ) -> clips.Sequences:
    """Where the frames of the split's videos or long sequences are.

    Args:
      metadata: of the set.
      kept: numbers of the records that are used.
      counted: whether the frames of every one must be known.

    Raises:
      InputError: there is none.
    """
    if LONG_SEQUENCES in metadata:
      if len(self._parts) > 1 or len(kept) < len(self):
        raise InputError(
          f"dataset {self.directory} holds long sequences: they are read from one split "
          f"(config.data.split is {self._split!r}) and not chosen by number of objects"
        )
      (part,) = self._parts
      lengths = metadata[LONG_SEQUENCES][part.splitname]
      per_record = metadata.get(FRAMES_PER_RECORD, 1)
      first = part.from_ or 0
      return clips.joined(lengths, per_record, first, first + len(self))
    framed = [name for name in ("video", "views") if name in self._features]
    if not framed:
      raise InputError(f"config.data.preprocess: dataset {self.directory} has no video or views")
    count = decoding.frame_count(self._features)
    if count is not None:
      return clips.videos(kept, np.full(len(kept), count))
    if not counted:
      return clips.videos(kept, None)
    decode = decoding.Decoder(self._features, framed, None)
    counts = np.array([decode.count(record, framed[0]) for record in self._all()])
    return clips.videos(kept, counts[kept])

  def _all(self) -> Iterator[bytes]:
    for start in range(0, len(self), _CHUNK):
      yield from self.records(range(start, min(start + _CHUNK, len(self))))
