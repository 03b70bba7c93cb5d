"""Which records, and which of their frames, make an example: all, a clip, single frames, one view.

The first step of `config.data.preprocess` may be one of `clip`, `stills`, `view` and `pair`:

  dict(name="clip", length=10, stride=8, starts="all")

`length` frames, `stride` apart, of a video or of one of the long sequences of a set. `starts` says
where clips begin:

  "slots"  the sequence is divided into slots of `slot` frames (0: one slot, the whole sequence);
           each gives one clip, at a random place inside it in training and at its start otherwise
  "all"    every frame that has enough frames behind it
  "cover"  such that every frame is in exactly one clip, as far as they come out even

`evaluation` says the same for evaluation, where that differs. With `numbered` the batch says as
`sequence` which video or sequence of the split a clip is of, counted from 0.

  dict(name="stills", every=1)    every so many frames or views, each an example of its own
  dict(name="view")               one view of a scene, or one frame of a video: a random one in
                                  training, the first otherwise
  dict(name="pair", spread=-1.0)  two frames of a video in the order of time: in training random
                                  ones, `spread` frames apart on average (a Gaussian; 0 for the same
                                  frame twice, below 0 for any two), otherwise the first and last

`config.data.fields` names what is stored. A frame or view taken alone is called `image` in a batch;
clips from the frames of a set that stores each as an `image` are a `video`, in which all other
fields have the axis of time too.

The classes of these steps say, besides their arguments, whether they take frames alone (`single`,
so that their axis goes), what they call the pictures (`renames`) and whether examples say which
sequence they are of (`numbered`).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.decoding import Frames

Rng = np.random.Generator
STARTS = ("slots", "all", "cover")
_ALONE = {"video": "image", "views": "image"}


class Cut(NamedTuple):
  """What one record gives to an example: the record's number, and which of its frames."""

  record: int
  frames: Frames = None


class Selection(NamedTuple):
  """The examples of a split.

  Attributes:
    count: how many.
    cuts: (number of the example, random generator or None) -> what it is made of.
    random: whether training draws.
  """

  count: int
  cuts: Callable[[int, Rng | None], Sequence[Cut]]
  random: bool = False


class Sequences(NamedTuple):
  """Where the frames of sequences are, one row a sequence.

  Attributes:
    first: record with the first frame.
    per_record: frames a record holds.
    length: frames of the sequence; -1 where only the record itself can tell (it then holds all).
  """

  first: np.ndarray
  per_record: np.ndarray
  length: np.ndarray

  def number_of(self, record: int) -> int:
    """Which sequence a record belongs to."""
    return int(np.searchsorted(self.first, record, side="right")) - 1

  def cuts(self, number: int, frames: np.ndarray) -> list[Cut]:
    """What holds `frames` (ascending) of a sequence."""
    per_record = int(self.per_record[number])
    records, inside = frames // per_record, frames % per_record
    return [
      Cut(int(self.first[number] + record), _Fixed(inside[records == record]))
      for record in np.unique(records)
    ]


def videos(records: np.ndarray, counts: np.ndarray | None) -> Sequences:
  """Sequences that are a record each, of so many frames; None: the record tells."""
  length = np.full(len(records), -1) if counts is None else counts
  return Sequences(records, length, length)


def joined(lengths: Sequence[int], per_record: int, start: int, stop: int) -> Sequences:
  """Long sequences that lie in the records of a split one after the other.

  Args:
    lengths: frames of each.
    per_record: frames a record holds; the last one of a sequence may hold fewer.
    start, stop: the records that are used, where only a part of the split is.
  """
  lengths = np.asarray(lengths, np.int64)
  records = -(-lengths // per_record)
  ends = np.cumsum(records)
  begins = ends - records
  first, last = np.clip(begins, start, stop), np.clip(ends, start, stop)
  kept = np.minimum(lengths, (last - begins) * per_record) - (first - begins) * per_record
  used = last > first
  return Sequences(
    (first - start)[used], np.full(int(used.sum()), per_record), np.maximum(kept, 0)[used]
  )


@dataclasses.dataclass(frozen=True)
class Clip:
  """The step `clip`, see above."""

  length: int
  stride: int = 1
  starts: str = "slots"
  slot: int = 0
  evaluation: str = ""
  numbered: bool = False
  single = False
  renames = {"image": "video"}

  def __post_init__(self):
    if min(self.length, self.stride) < 1 or self.slot < 0:
      raise ValueError("length and stride are at least 1, slot at least 0")
    for kind in (self.starts, self.evaluation or self.starts):
      if kind not in STARTS:
        raise ValueError(f"starts is {kind!r}; choose one of {', '.join(STARTS)}")
    if 0 < self.slot < self.span:
      raise ValueError(f"a clip spans {self.span} frames, more than a slot of {self.slot}")

  @property
  def span(self) -> int:
    return (self.length - 1) * self.stride + 1

  def needs_lengths(self, training: bool) -> bool:
    """Whether the frames of every sequence must be counted beforehand."""
    return self._kind(training) != "slots" or self.slot > 0

  def select(self, sequences: Sequences, training: bool) -> Selection:
    """The clips of the sequences; those of sequences that are too short are left out."""
    if not len(sequences.length) or sequences.length[0] < 0:
      return self._whole_videos(sequences, training)
    numbers, starts, rooms = [], [], []
    for number, length in enumerate(sequences.length):
      begins, room = self._begins(int(length), self._kind(training))
      numbers += [number] * len(begins)
      starts += list(begins)
      rooms += list(room)
    if not starts:
      longest = max(sequences.length)
      raise ValueError(f"a clip spans {self.span} frames, the longest sequence has {longest}")
    offsets = np.arange(self.length) * self.stride

    def cuts(index, rng):
      start = starts[index]
      if rng is not None and rooms[index]:
        start += int(rng.integers(rooms[index] + 1))
      return sequences.cuts(numbers[index], start + offsets)

    return Selection(len(starts), cuts, random=training and any(rooms))

  def _kind(self, training: bool) -> str:
    return self.starts if training else self.evaluation or self.starts

  def _begins(self, length: int, kind: str) -> tuple[Sequence[int], Sequence[int]]:
    """Where the clips of a sequence begin, and how many frames later they could as well."""
    last = length - self.span
    if kind == "slots":
      slot = self.slot or length
      begins = range(0, last + 1, max(slot, 1))
      return begins, [min(slot, length - begin) - self.span for begin in begins]
    begins = range(max(last + 1, 0))
    if kind == "cover":
      block = self.length * self.stride
      phases = range(self.stride)
      begins = [b + p for b in range(0, length, block) for p in phases if b + p <= last]
    return begins, [0] * len(begins)

  def _whole_videos(self, sequences: Sequences, training: bool) -> Selection:
    """One clip of each video, whose frames are counted when it is read."""

    def cuts(index, rng):
      return [Cut(int(sequences.first[index]), _Window(self, _share(rng)))]

    return Selection(len(sequences.first), cuts, random=training)


@dataclasses.dataclass(frozen=True)
class Stills:
  """The step `stills`, see above."""

  every: int = 1
  single = True
  numbered = False
  renames = _ALONE

  def __post_init__(self):
    if self.every < 1:
      raise ValueError(f"every is {self.every}: at least 1 is needed")

  def needs_lengths(self, training: bool) -> bool:
    """Whether the frames of every sequence must be counted beforehand."""
    return True

  def select(self, sequences: Sequences, training: bool) -> Selection:
    """The frames of the sequences, the same in training and evaluation."""
    counts = -(-sequences.length // self.every)
    ends = np.cumsum(counts)

    def cuts(index, rng):
      number = int(np.searchsorted(ends, index, side="right"))
      frame = (index - (ends[number] - counts[number])) * self.every
      return sequences.cuts(number, np.array([frame]))

    return Selection(int(ends[-1]), cuts)


@dataclasses.dataclass(frozen=True)
class View:
  """The step `view`, see above."""

  single = True
  numbered = False
  renames = _ALONE

  def needs_lengths(self, training: bool) -> bool:
    """Whether the views of every scene must be counted beforehand."""
    return False

  def select(self, sequences: Sequences, training: bool) -> Selection:
    """One view of every scene."""

    def cuts(index, rng):
      return [Cut(int(sequences.first[index]), _OneView(_share(rng)))]

    return Selection(len(sequences.first), cuts, random=training)


@dataclasses.dataclass(frozen=True)
class Pair:
  """The step `pair`, see above."""

  spread: float = -1.0
  single = False
  numbered = False
  renames = {"image": "video"}

  def needs_lengths(self, training: bool) -> bool:
    """Whether the frames of every sequence must be counted beforehand."""
    return False

  def select(self, sequences: Sequences, training: bool) -> Selection:
    """Two frames of every sequence."""
    counted = len(sequences.length) > 0 and sequences.length[0] >= 0

    def cuts(index, rng):
      shares = (0.0, 1.0) if rng is None else (rng.random(), rng.random())
      offset = 0.0 if rng is None or self.spread < 0 else float(rng.normal(0.0, self.spread))
      choose = _TwoFrames(*shares, None if rng is None or self.spread < 0 else offset)
      if counted:
        return sequences.cuts(index, choose(int(sequences.length[index])))
      return [Cut(int(sequences.first[index]), choose)]

    return Selection(len(sequences.first), cuts, random=training)


def whole(records: np.ndarray) -> Selection:
  """Every record is an example."""
  return Selection(len(records), lambda index, rng: [Cut(int(records[index]))])


def _share(rng: Rng | None) -> float:
  """What share of the possible places comes before the drawn one; fields of a record share it."""
  return 0.0 if rng is None else rng.random()


class _Fixed(NamedTuple):
  frames: np.ndarray

  def __call__(self, count: int) -> np.ndarray:
    return self.frames


class _Window(NamedTuple):
  clip: Clip
  share: float

  def __call__(self, count: int) -> np.ndarray:
    room = count - self.clip.span
    if room < 0:
      raise InputError(
        f"config.data.preprocess: a clip spans {self.clip.span} frames, but a video has {count}"
      )
    return int(self.share * (room + 1)) + np.arange(self.clip.length) * self.clip.stride


class _OneView(NamedTuple):
  share: float

  def __call__(self, count: int) -> np.ndarray:
    return np.array([int(self.share * count)])


class _TwoFrames(NamedTuple):
  first: float
  second: float
  offset: float | None

  def __call__(self, count: int) -> np.ndarray:
    first = min(int(self.first * count), count - 1)
    second = min(int(self.second * count), count - 1)
    if self.offset is not None:
      second = int(np.clip(round(first + self.offset), 0, count - 1))
    return np.sort([first, second])


SELECTIONS: Mapping[str, Any] = {"clip": Clip, "stills": Stills, "view": View, "pair": Pair}
