"""Pictures, pairs of picture and mask, or videos of one's own, as TFDS records."""

import functools

import numpy as np
import tensorflow_datasets as tfds

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.building.object_views import alone
from data.building.object_views_builder import object_metadata
from data.building.stored_size import stored_bytes
from data.building.workers import ordered_map
from data.folder import contents, listing, names, pictures
from data.folder.contents import Video
from data.folder.listing import Listing
from data.folder.pictures import StillTask
from data.raw.damage import Attempt
from data.raw.own_files import fingerprint

SAMPLE = 8  # pictures read for the estimate of the size


class Builder(DownloadedBuilder, skip_registration=True):
  """A folder of one's own, under a name of one's own."""

  NAMES = names
  BUILDER_CONFIGS = named_configs(names, "mine")
  DEFAULT_CONFIG = "mine"
  SOURCE = "files of one's own"
  LICENCE = "that of the files"
  HOMEPAGE = ""

  @classmethod
  def describe(cls, raw, options):
    found = listing.read(raw)
    splits = contents.splits_of(raw, found, options)
    return f"{contents.describe(found, splits, options)}; {fingerprint(raw)}"

  @functools.cached_property
  def listing(self) -> Listing:
    """What there is to convert."""
    return listing.read(self.raw)

  @functools.cached_property
  def splits(self) -> dict[str, list[StillTask] | list[Video]]:
    """The pictures or videos of every split that has any."""
    return contents.splits_of(self.raw, self.listing, self.options)

  def items(self):
    return self.splits

  @property
  def make_clips(self) -> bool:
    """Whether the set is one of clips."""
    return self.options.frames is not None

  @property
  def make(self):
    return functools.partial(alone, pictures.read_still)

  def made(self, items):
    return self._clips(items) if self.make_clips else super().made(items)

  def _clips(self, videos):
    """The clips of all videos, one by one, read in this process: they are too large to send."""
    for video in videos:
      clips = self.guarded(video.clips(self.options), pictures.encode_clip)
      for number, (_, example) in enumerate(clips):
        yield [{**example, "metadata": video.metadata(number, self.options)}]

  def estimate(self):
    every = [item for items in self.splits.values() for item in items]
    if not self.make_clips:
      return len(every), round(len(every) * self.mean_size(every[:: -(-len(every) // SAMPLE)]))
    count = sum(video.clip_count(self.options) for video in every)
    clip, _ = Attempt(lambda video: next(video.clips(self.options)))(every[0])
    return count, count * stored_bytes(pictures.encode_clip(clip)) if clip else 0

  @functools.cached_property
  def highest_id(self) -> int:
    """Of all masks; those that are damaged are reported when they are converted."""
    masks = [still.mask for still in self.listing.stills if still.mask.is_file()]
    found = ordered_map(Attempt(pictures.highest_id), masks, self.processes)
    return max((highest for highest, damaged in found if damaged is None), default=0)

  def _features(self):
    side, length = self.options.size, self.options.frames
    features = {"metadata": object_metadata()}
    if self.make_clips:
      features["video"] = schema.pictures(length, side, side)
    else:
      features["image"] = schema.picture(side, side, encoding=None)
    if self.listing.masked and self.make_clips:
      features["segmentation"] = schema.pictures(length, side, side, channels=1)
    elif self.listing.masked:
      features["segmentation"] = schema.picture(side, side, channels=1)
      features["metadata"]["mask_filter"] = tfds.features.Text()
    return {**features, **({"num_objects": np.int32} if self.listing.masked else {})}

  def _metadata(self):
    every = [item for items in self.splits.values() for item in items]
    names = {item.object_id: item.object_name for item in every}
    about = {"objects": [names[number] for number in sorted(names)]}
    if not self.listing.masked:
      return about
    highest = self.highest_id
    return {**about, "labels": highest + 1, "background_ids": [0], "max_objects": highest}
