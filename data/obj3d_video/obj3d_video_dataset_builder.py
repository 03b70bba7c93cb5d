"""OBJ3D videos: solids that collide on a floor, as TFDS records."""

import functools
import itertools

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.obj3d_video.episodes import NAMES, Episode, episodes, read_episode
from data.raw.frames import first_size


class Builder(DownloadedBuilder, skip_registration=True):
  """The episodes of the unpacked archive, or of a part of it."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "all", "all_first30")
  DEFAULT_CONFIG = "all"
  SOURCE = "3D videos of zhixuan-lin/G-SWM"
  LICENCE = "not stated by those who publish the videos"
  SIZE = "7 GB"
  HOMEPAGE = "https://github.com/zhixuan-lin/G-SWM"

  @classmethod
  def describe(cls, raw, options):
    counts = (f"{len(found)} {split}" for split, found in episodes(raw, options).items())
    return f"OBJ3D episodes: {', '.join(counts)}"

  def items(self):
    return episodes(self.raw, self.options)

  @functools.cached_property
  def make(self):
    like = first_size(path for episode in self._every_episode() for path in episode.frames)
    return functools.partial(read_episode, like=like, options=self.options)

  def estimate(self):
    every = self._every_episode()
    return len(every), round(len(every) * self.mean_size(every[:1]))

  def _features(self):
    lengths = {len(episode.frames) for episode in self._every_episode()}
    length = self.options.first or (lengths.pop() if len(lengths) == 1 else None)
    size = self.make.keywords["like"].size
    return {"video": schema.pictures(length, *size, encoding=None), "metadata": schema.key()}

  def _every_episode(self) -> list[Episode]:
    return list(itertools.chain(*self._items.values()))
