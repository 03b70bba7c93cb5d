"""Loci's HDF5 files: videos with masks and depth, as TFDS records."""

import functools

import numpy as np

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.loci_hdf5 import contents, names
from data.loci_hdf5.sequences import Sequence, Setting, first_size, read_sequence
from objectcentric_jax.errors import InputError

TRAINING_SHARE = 0.8  # of the sequences, with the word `split80`


class Builder(DownloadedBuilder, skip_registration=True):
  """The sequences of the files of one dataset, each an example."""

  NAMES = names.NAMES
  BUILDER_CONFIGS = named_configs(NAMES, *(f"movi-{letter}" for letter in "abcdef"))
  DEFAULT_CONFIG = "movi-a"
  SOURCE = "HDF5 files in the format of CognitiveModeling/Loci-Segmented"
  LICENCE = "that of the dataset in the files"
  HOMEPAGE = "https://github.com/CognitiveModeling/Loci-Segmented"

  @classmethod
  def describe(cls, raw, options):
    found = names.find(raw, options.name)
    counts = (f"{len(contents.inspect(path)[1])} {split}" for split, path in found.items())
    return f"HDF5 of {options.name}, sequences: {', '.join(counts)}"

  @functools.cached_property
  def _files(self) -> dict[str, tuple[contents.Contents, list[tuple[int, int]]]]:
    found = names.find(self.raw, self.options.name)
    files = {split: contents.inspect(path) for split, path in found.items()}
    contents.check_alike([file for file, _ in files.values()])
    return files

  @property
  def _first(self) -> contents.Contents:
    return next(iter(self._files.values()))[0]

  def items(self):
    splits = {}
    for split, (file, ranges) in self._files.items():
      splits[split] = [
        Sequence(f"{split}/{number:06d}", file, first, length)
        for number, (first, length) in enumerate(ranges)
      ]
    if self.options.split80:
      if set(splits) != {"train"}:
        raise InputError(
          f"--from {self.raw}: split80 divides a training file, there are {', '.join(splits)}"
        )
      every = splits["train"]
      stop = int(len(every) * TRAINING_SHARE)
      splits = {"train": every[:stop], "validation": every[stop:]}
    return {split: sequences for split, sequences in splits.items() if sequences}

  @functools.cached_property
  def make(self):
    options, first = self.options, self._first
    if options.amodal and not first.objects:
      raise InputError(f"{first.path} has no {contents.MASKS} for the word amodal of the config")
    if options.foreground and not first.foreground:
      raise InputError(f"{first.path} has no {contents.FOREGROUND} for the word foreground")
    objects = max(file.objects for file, _ in self._files.values())
    return functools.partial(
      read_sequence, setting=Setting(options, first_size(first), max(1, objects))
    )

  def estimate(self):
    first, *others = (sequence for part in self._items.values() for sequence in part)
    frames = first.length + sum(sequence.length for sequence in others)
    return 1 + len(others), round(self.mean_size([first]) / first.length * frames)

  def _features(self):
    setting, first = self.make.keywords["setting"], self._first
    lengths = {sequence.length for part in self._items.values() for sequence in part}
    length = lengths.pop() if len(lengths) == 1 else None
    size, objects = setting.size, setting.objects
    features = {"video": schema.pictures(length, *size, encoding=None), "metadata": schema.key()}
    if first.depth:
      features["depth"] = schema.array((length, *size, 1))
    if first.has_masks:
      features["segmentation"] = schema.pictures(length, *size, 1)
    if first.objects:
      features["bboxes"] = schema.array((length, objects, 4))
      features["num_objects"] = np.int32
    if self.options.amodal:
      features["amodal_masks"] = schema.array((length, objects, *size, 1), np.uint8)
    if self.options.foreground:
      features["mask"] = schema.pictures(length, *size, 1)
    return features

  def _metadata(self):
    about = {"depth": "relative"} if self._first.depth else {}
    if self._first.has_masks:
      objects = self.make.keywords["setting"].objects
      about |= {"labels": objects + 1, "background_ids": [0], "max_objects": objects}
    return about
