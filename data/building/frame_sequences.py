"""Long sequences: their frames in order, one record a frame, see `schema` under `sequences`.

Clips are cut from them when they are read, so that any length, stride and start is possible.
"""

import abc
import itertools
from collections.abc import Mapping, Sequence

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder
from data.raw.frames import Frame
from objectcentric_jax.errors import InputError

SAMPLE = 8  # frames read for the estimate of the size


class FrameSequencesBuilder(DownloadedBuilder, skip_registration=True):
  """Writes the frames of sequences in their order and notes how many there are of each.

  With `skip_damaged` a sequence is cut in two where frames were left out, so that no clip jumps.
  `make` gives one example a frame.
  """

  ORDERED = True

  @abc.abstractmethod
  def items(self) -> Mapping[str, Sequence[Frame]]:
    """The frames of every split, those of a sequence one after the other."""

  def estimate(self):
    frames = list(itertools.chain(*self._items.values()))
    sample = frames[:: -(-len(frames) // SAMPLE)]
    return len(frames), round(len(frames) * self.mean_size(sample))

  @property
  def size(self) -> tuple[int, int]:
    """Height and width of all stored pictures."""
    return next(itertools.chain(*self._items.values())).like.size

  def _features(self):
    return {"image": schema.picture(*self.size, encoding=None), "metadata": schema.key()}

  def _metadata(self):
    return {"frames_per_record": 1, "sequences": {}}  # filled while frames are written

  def _generate_examples(self, split):
    lengths = self.info.metadata["sequences"].setdefault(split, [])
    last = None
    for frame, (example,) in self.guarded(self._items[split], self.make, self.processes):
      if last == (frame.sequence, frame.number - 1):
        lengths[-1] += 1
      else:
        lengths.append(1)
      last = frame.sequence, frame.number
      yield frame.key, example
      self.progress.advance(1)
    if not lengths:
      raise InputError(f"--from {self.raw}: no frame of the split {split} can be used")
