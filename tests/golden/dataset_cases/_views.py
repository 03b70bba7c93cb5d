"""Reading prepared sets of views of objects for the golden cases."""

import contextlib
import io
import pathlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from configs import sections
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.input.examples import open_split

STEP = 2  # the cases store every second row and column of resized pictures
JPEG_TOLERANCE = 8.0  # grey levels between decoders
PLACE = ("metadata/object_id", "metadata/frame")


class PreparedViews:
  """A prepared set, whose views are found by object and frame."""

  def __init__(self, directory: pathlib.Path):
    self._root = directory.parents[2]
    self._name = "/".join(directory.parts[-3:-1])
    self.objects = records.metadata(directory)["objects"]
    splits = [path.name.partition("-")[2].partition(".")[0] for path in directory.glob("*-*-of-*")]
    self._places = {}
    for split in sorted(set(splits)):
      examples = self._open(split, PLACE, ())
      read = examples.read(np.arange(len(examples)))
      for index, place in enumerate(zip(*(read[name].tolist() for name in PLACE), strict=True)):
        self._places[place] = split, index

  def frames(self, name: str) -> list[int]:
    """The numbers of the views of an object, in order."""
    number = self.objects.index(name)
    return sorted(frame for object_id, frame in self._places if object_id == number)

  def read(
    self, name: str, frame: int, fields: Sequence[str], steps: Sequence[Mapping[str, Any]] = ()
  ) -> dict[str, np.ndarray]:
    """Fields of one view, after the steps of `config.data.preprocess`."""
    split, index = self._places[self.objects.index(name), frame]
    read = self._open(split, fields, steps).read(np.array([index]))
    return {field: array[0] for field, array in read.items()}

  def _open(self, split, fields, steps):
    data = sections.base().data.to_dict()
    data |= {"name": self._name, "directory": str(self._root), "memory": 0}
    data |= {"fields": tuple(fields), "preprocess": tuple(steps), "side": 0}
    return open_split(data, split)


@contextlib.contextmanager
def prepared(name: str, raw: pathlib.Path) -> Iterator[PreparedViews]:
  """The set that `data.prepare` makes of a raw tree, in a temporary folder."""
  with tempfile.TemporaryDirectory() as root, contextlib.redirect_stdout(io.StringIO()):
    yield PreparedViews(prepare(name, root, raw, processes=1))


def legacy_steps(shape: Sequence[int], mask_kind: str) -> list[dict[str, Any]]:
  """The published resize to STEP times `shape`: bicubic, but for the ids of a palette."""
  resize = {"name": "resize", "height": STEP * shape[0], "width": STEP * shape[1]}
  resize |= {"method": "pillow_bicubic", "ids": "pillow_nearest"}
  return [*([{"name": "object_masks", "objects": 1}] if mask_kind == "grey" else []), resize]


def legacy_mask(read: Mapping[str, np.ndarray], mask_kind: str) -> np.ndarray:
  """The published mask, float32 [H, W], of a view read with `legacy_steps`."""
  if mask_kind == "grey":
    return read["masks"][0, ..., 0] / np.float32(255)
  return read["segmentation"][..., 0].astype(np.float32)


def largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
  """Infinite where the shapes differ."""
  if found.shape != expected.shape:
    return float("inf")
  return float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max())


def number_after(word: str, notes: str) -> int:
  """The number behind a word in the notes of a case."""
  return int(re.search(rf"{word} (\d+)", notes)[1])
