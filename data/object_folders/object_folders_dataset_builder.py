"""Folders of pictures of objects with masks, drawn here or one's own, as TFDS records."""

import functools

from data.building.downloaded_builder import named_configs
from data.building.generated import SPLITS
from data.building.object_names import split_of
from data.building.object_views import Folders, read_view
from data.building.object_views_builder import ObjectViewsBuilder
from data.object_folders import drawing, names
from data.object_folders.drawing import Task
from data.raw.own_files import fingerprint
from objectcentric_jax.errors import InputError


class Builder(ObjectViewsBuilder, skip_registration=True):
  """OBJECT/{imgs,masks}, as the published collector for AI2-THOR writes them."""

  NAMES = names
  BUILDER_CONFIGS = named_configs(names, "256px_12objects")
  DEFAULT_CONFIG = "256px_12objects"
  SOURCE = "drawn, or folders as those of pptrick/Object-Pursuit"
  LICENCE = "drawn: that of this library; converted: that of the files"
  SIZE = "31 MB"
  HOMEPAGE = "https://github.com/pptrick/Object-Pursuit"
  GENERATED = True

  @classmethod
  def source_of(cls, raw, config):
    if not isinstance(config.options, drawing.Options):
      return super().source_of(raw, config)
    if raw is not None:
      raise InputError(
        f"--from {raw}: object_folders/{config.name} is drawn; choose a name for your files, "
        "such as object_folders/mine"
      )
    return "generated"

  @classmethod
  def describe(cls, raw, options):
    del options  # what is there does not depend on them
    return f"object folders, {fingerprint(raw)}"

  @property
  def drawn(self) -> bool:
    """Whether the set is drawn here."""
    return isinstance(self.options, drawing.Options)

  @property
  def read(self):
    return drawing.draw if self.drawn else read_view

  @functools.cached_property
  def views(self):
    return self._tasks() if self.drawn else super().views

  def _tasks(self) -> dict[str, list[Task]]:
    options = self.options
    return {
      split: [
        Task(options, split, number, index)
        for number in range(options.objects)
        for index in range(options.count(split))
      ]
      for split in SPLITS
    }

  @property
  def object_names(self):
    if self.drawn:
      return [drawing.object_name(number) for number in range(self.options.objects)]
    return super().object_names

  @property
  def max_objects(self):
    return 1  # each folder is of one

  def _metadata(self):
    seed = {"seed": self.options.seed} if self.drawn else {}
    return {**super()._metadata(), **seed}

  def find(self):
    folders = [path for path in self.raw.glob("*/") if not path.name.startswith(".")]
    if not folders or (self.raw / "imgs").is_dir():
      hint = "; give the folder above it" if folders else ""
      raise InputError(f"--from {self.raw} holds no OBJECT/imgs and OBJECT/masks{hint}")
    return [Folders(path.name, path / "imgs", path / "masks") for path in folders]

  def frame(self, image, place):
    return place

  def split(self, folders, key):
    return split_of(key, self.options.validation, self.options.test)
