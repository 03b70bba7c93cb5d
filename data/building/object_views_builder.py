"""What the builders of all sets of views of objects share."""

import abc
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder
from data.building.object_views import Folders, View, alone, frame_number, pairs, read_view
from objectcentric_jax.errors import InputError

SPLITS = ("train", "validation", "test")
SAMPLE = 16  # views read for the estimate of the size


class ObjectViewsBuilder(DownloadedBuilder, skip_registration=True):
  """A builder of pictures with masks, each of a known object.

  A dataset gives `find` and `describe`, and its options have `size`, of the short side, to which
  pictures are resized unless it is None.

  Beside the usual keys its examples have, under `metadata`:

    object_id    int32: place of the object, or sequence, in the list `objects` of the set
    object_name  text
    frame        int32: orders the views of an object; the number of a video's frame
    mask_filter  text: Pillow's default filter for the raw mask, by its kind: "bicubic" (grey) or
                 "nearest" (palette). The published loaders resize masks with it, so that grey ones
                 get soft borders
  """

  # Makes the example of what `view` returns; of the top level of a module for worker processes.
  read = staticmethod(read_view)

  @abc.abstractmethod
  def find(self) -> Iterable[Folders]:
    """Where the objects are, from the names of folders and from lists."""

  def pairs(self, folders: Folders) -> dict[str, tuple[Path, Path]]:
    """Picture and mask of the views of an object, by their names; Damaged where there are none."""
    return pairs(folders.images, folders.masks)

  def view(self, view: View) -> Any:
    """What `read` needs for a view."""
    return view

  def frame(self, image: Path, place: int) -> int:
    """The number of a view, from the name of its picture or its place among those of the object."""
    del place
    return frame_number(image)

  def split(self, folders: Folders, key: str) -> str:
    """The split of a view."""
    del key
    return folders.split

  @functools.cached_property
  def views(self) -> dict[str, list[View]]:
    """The views of every split that has any, objects in the order of their names."""
    splits = {split: [] for split in SPLITS}
    objects = self.guarded(sorted(self.find(), key=lambda f: f.name), self._views_of)
    for number, (folders, views) in enumerate(objects):
      for view in views:
        splits[self.split(folders, view.key)].append(view._replace(object_id=number))
    if not any(splits.values()):
      raise InputError(f"--from {self.raw}: nothing there can be used")
    return {split: views for split, views in splits.items() if views}

  def _views_of(self, folders: Folders) -> list[View]:
    """The views of an object, which gets its number later."""
    return [
      View(
        key=f"{folders.name}/{stem}",
        image=image,
        mask=mask,
        object_id=0,
        object_name=folders.name,
        frame=self.frame(image, place),
        max_objects=folders.max_objects,
        size=self.options.size,
      )
      for place, (stem, (image, mask)) in enumerate(self.pairs(folders).items())
    ]

  @property
  def object_names(self) -> list[str]:
    """The objects, `object_id` being their places."""
    names = {view.object_id: view.object_name for view in self._every_view()}
    return [names[number] for number in sorted(names)]

  @property
  def max_objects(self) -> int:
    """The highest id in the segmentations, one where objects are not told apart."""
    return max(view.max_objects or 1 for view in self._every_view())

  @property
  def make(self):
    return functools.partial(alone, self.read)

  def items(self):
    return {split: list(map(self.view, views)) for split, views in self.views.items()}

  def estimate(self):
    every = self._every_view()
    sample = every[:: -(-len(every) // SAMPLE)]
    return len(every), round(len(every) * self.mean_size(map(self.view, sample)))

  def _features(self):
    return {
      "image": schema.picture(encoding=None),
      "segmentation": schema.picture(channels=1),
      "num_objects": np.int32,
      "metadata": {**object_metadata(), "mask_filter": tfds.features.Text()},
    }

  def _metadata(self):
    return {
      "labels": self.max_objects + 1,
      "background_ids": [0],
      "max_objects": self.max_objects,
      "objects": self.object_names,
    }

  def _every_view(self) -> list[View]:
    return [view for views in self.views.values() for view in views]


def object_metadata() -> dict[str, Any]:
  """The features that say what an example shows, see `ObjectViewsBuilder`."""
  return {
    **schema.key(),
    "object_id": np.int32,
    "object_name": tfds.features.Text(),
    "frame": np.int32,
  }
