"""YouTube-VOS: frames of short videos with masks of their objects, as TFDS records."""

import functools

from data.building.downloaded_builder import named_configs
from data.building.object_views_builder import ObjectViewsBuilder
from data.youtube_vos import videos
from data.youtube_vos.videos import Video
from objectcentric_jax.errors import InputError


class Builder(ObjectViewsBuilder, skip_registration=True):
  """The training part of YouTube-VOS of any year, or a part of it."""

  NAMES = videos.NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "single", "all")
  DEFAULT_CONFIG = "single"
  SOURCE = "YouTube-VOS, youtube-vos.org"
  LICENCE = "see youtube-vos.org"
  HOMEPAGE = "https://youtube-vos.org"

  @classmethod
  def describe(cls, raw, options):
    return f"YouTube-VOS, {len(videos.names(raw))} videos"

  @functools.cached_property
  def videos(self) -> dict[str, Video]:
    """The videos that the config asks for, by their names."""
    folder = videos.base(self.raw)
    read = self.guarded(videos.names(self.raw), videos.reader(folder))
    found = {name: v for name, v in read if v.single or self.options.videos == "all"}
    if not found:
      raise InputError(
        f"--from {self.raw} holds no video with one object in {videos.SINGLE_FRAMES} frames or "
        "more; youtube_vos/all takes the others too"
      )
    return found

  def find(self):
    return [video.folders for video in self.videos.values()]

  def pairs(self, folders):
    return self.videos[folders.name].pairs()
