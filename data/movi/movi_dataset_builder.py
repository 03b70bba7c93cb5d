"""MOVi-A to F: objects that fall and collide, from the published TFRecords, as our own records."""

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.movi import files, videos
from data.movi.names import MOST_OBJECTS, NAMES
from data.raw.damage import Attempt
from data.raw.tfrecord import record_offsets

SAMPLE = 2  # videos read for the estimate of the size


class Builder(DownloadedBuilder, skip_registration=True):
  """The videos in the files that are there, with the fields of our schema."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(
    NAMES, *(f"{letter}_{side}px" for letter in MOST_OBJECTS for side in (256, 128))
  )
  DEFAULT_CONFIG = "a_256px"
  SOURCE = "MOVi of google-research/kubric, gs://kubric-public/tfds"
  LICENCE = "Apache-2.0; the objects and backgrounds in it have licences of their own"
  SIZE = "10 to 20 MB a video, estimated"
  HOMEPAGE = "https://github.com/google-research/kubric"

  @classmethod
  def describe(cls, raw, options):
    found = files.shards(files.find(raw, options), options)
    counts = (
      f"{len(paths)} of {files.published_count(paths[0])} {split}"
      for split, paths in found.items()
      if paths
    )
    return f"MOVi-{options.letter.upper()}, files: {', '.join(counts)}"

  @property
  def _folder(self) -> Path:
    return files.find(self.raw, self.options)

  def items(self):
    shards = files.shards(self._folder, self.options)
    found = {
      split: [v for p in paths for v in _videos(split, p)] for split, paths in shards.items()
    }
    return {split: part for split, part in found.items() if part}

  @functools.cached_property
  def layout(self) -> videos.Layout:
    """What the videos have, by the first that can be read; Damaged where none can."""
    describe = Attempt(functools.partial(videos.describe, options=self.options))
    first = None
    for video in self._every_video():
      layout, damaged = describe(video)
      if damaged is None:
        return layout
      first = first or damaged
    raise first

  @property
  def make(self):
    return functools.partial(videos.read_video, options=self.options, layout=self.layout)

  def estimate(self):
    every = self._every_video()
    return len(every), round(len(every) * self.mean_size(every[:SAMPLE]))

  def _features(self):
    frames, side = self.layout.frames, self.options.side
    features = {
      "video": schema.pictures(frames, side, side),
      "segmentation": schema.pictures(frames, side, side, 1),
      "bboxes": schema.array((frames, None, 4)),
      "visibility": schema.array((frames, None), np.uint16),
      "num_objects": np.int32,
      "factors": {name: _factor(videos.FACTORS[name], frames) for name in self.layout.factors},
      "camera": {
        name: schema.numbers(videos.shape_of(shape, frames))
        for name, shape in videos.CAMERA.items()
      },
      "metadata": schema.key(),
    }
    if self.options.depth:
      features["depth"] = schema.array((frames, side, side, 1))
    for flow in videos.FLOWS if self.options.flow else ():
      features[flow] = schema.array((frames, side, side, 2))
    return features

  def _metadata(self):
    most = MOST_OBJECTS[self.options.letter]
    names = {n: files.class_names(self._folder, videos.FACTORS[n]) for n in self.layout.factors}
    about = {"classes": {factor: classes for factor, classes in names.items() if classes}}
    if self.options.depth:
      about["depth"] = "distance"
    return {"labels": most + 1, "background_ids": [0], "max_objects": most, **about}

  def _every_video(self) -> list[videos.Video]:
    return list(itertools.chain(*self._items.values()))


def _videos(split: str, path: Path) -> Iterator[videos.Video]:
  """The records of a file; of an empty one the first, so that reading it says so."""
  for offset in record_offsets(path) if path.stat().st_size else (0,):
    yield videos.Video(split, path, offset)


def _factor(factor: videos.Factor, frames: int):
  return schema.array((None, *videos.shape_of(factor.shape, frames)), factor.kind)
