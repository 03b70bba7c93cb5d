"""MOTSynth: people filmed from above by a camera that stands still, as TFDS records."""

import functools

import numpy as np

from data.building import schema
from data.building.downloaded_builder import named_configs
from data.building.frame_sequences import FrameSequencesBuilder
from data.motsynth import annotations, frames
from data.motsynth.names import BACKGROUNDS, NAMES
from objectcentric_jax.errors import InputError


class Builder(FrameSequencesBuilder, skip_registration=True):
  """Frames of the chosen sequences with the ids of the people, perhaps on another background."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, *BACKGROUNDS, "original_multi8")
  DEFAULT_CONFIG = "original"
  SOURCE = "MOTSynth, motchallenge.net/data/MOTSynth-MOT-CVPR22"
  LICENCE = "see motchallenge.net"
  SIZE = "1800 frames of 1920 x 1080 a sequence"
  HOMEPAGE = "https://github.com/dvl-tum/motsynth-baselines"

  make = staticmethod(frames.read_frame)

  @classmethod
  def describe(cls, raw, options):
    found = frames.sequences(raw, options)
    return f"MOTSynth, {sum(map(len, found.values()))} frames of {len(found)} sequences"

  def items(self):
    found = {name: self._found[name] for name in self._people}
    return {"train": frames.frames(self.raw, self.options, found, np.dtype(self._id_type).name)}

  @functools.cached_property
  def _found(self):
    return frames.sequences(self.raw, self.options)

  @functools.cached_property
  def _people(self) -> dict[str, int]:
    """How many people there are in each sequence, but for those with damaged annotations."""
    files = {name: frames.annotation_file(self.raw, name) for name in self._found}
    read = self.guarded(files, lambda name: annotations.read(files[name]).people)
    people = dict(read)
    if not people:
      raise InputError(f"--from {self.raw}: no annotations of a sequence can be used")
    return people

  @property
  def _most_people(self) -> int:
    return max(1, *self._people.values())

  @property
  def _id_type(self):
    return annotations.id_type(self._most_people)

  @property
  def size(self):
    return frames.stored_size(self._items["train"][0].like, self.options.size)

  def _features(self):
    ids = schema.picture(*self.size, 1, dtype=self._id_type)
    return {**super()._features(), "segmentation": ids, "num_objects": np.int32}

  def _metadata(self):
    most = self._most_people
    ids = {"labels": most + 1, "background_ids": [0], "max_objects": most}
    return {**super()._metadata(), **ids}
