"""Sets of views of objects, object by object: which examples of a split show which object."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples, Examples, SelectedExamples
from objectcentric_jax.input.examples import open_split
from objectcentric_jax.input.generated import GENERATED

OBJECT_ID = "metadata/object_id"


def open_objects(
  config: Mapping[str, Any], split: str, training: bool = False
) -> dict[str, SelectedExamples]:
  """The views of each object of a split, by the object's name, in the order of the set's list.

  Made-up scenes belong to the `objects` of the config in turn.

  Args:
    config: `config.data`, see `objectcentric_jax.input.examples.open_split`.
    split: as there; objects without a view in it are left out.
    training: whether random steps draw.

  Raises:
    InputError: the set does not say which object a view shows, or as for `open_split`.
  """
  examples = open_split(config, split, training)
  ids, names = _identities(config, split, examples)
  views = {name: np.flatnonzero(ids == number) for number, name in enumerate(names)}
  return {name: SelectedExamples(examples, found) for name, found in views.items() if len(found)}


def _identities(
  config: Mapping[str, Any], split: str, examples: Examples
) -> tuple[np.ndarray, list[str]]:
  """Number of the object that each example shows, [N], and the names of all objects."""
  if config["name"] == GENERATED:
    count = config["objects"]
    return np.arange(len(examples)) % count, [f"object {number}" for number in range(count)]
  names = examples.about.get("objects")
  if not isinstance(names, list):
    raise InputError(
      f"config.data.name {config['name']!r} is no set of views of objects; object_folders, davis, "
      "co3d and youtube_vos are"
    )
  # Read by themselves, so that no picture is decoded for them.
  alone = {**config, "fields": (OBJECT_ID,), "preprocess": (), "side": 0, "frames": 0}
  stored = open_split(alone, split)
  if isinstance(stored, ArrayExamples):
    return stored.arrays[OBJECT_ID], names
  return stored.read(np.arange(len(stored)))[OBJECT_ID], names


def parts(views: Examples, count: int, seed: int) -> list[SelectedExamples]:
  """Views in `count` parts that share none, as equal as can be, drawn by `seed`."""
  order = np.random.default_rng(seed).permutation(len(views))
  return [_selected(views, np.sort(part)) for part in np.array_split(order, count)]


def held_out(views: Examples, share: float, seed: int) -> tuple[SelectedExamples, SelectedExamples]:
  """Views to train with, and views to score with, drawn by `seed`.

  Args:
    views: of one object.
    share: of the views that is held out; at least one is where there are two. With 1 all views
      are in both parts.
    seed: of the draw.
  """
  everything = np.arange(len(views))
  if share >= 1:
    return _selected(views, everything), _selected(views, everything)
  order = np.random.default_rng(seed).permutation(len(views))
  count = max(round(share * len(views)), min(len(views) - 1, 1))
  return _selected(views, np.sort(order[count:])), _selected(views, np.sort(order[:count]))


def _selected(views: Examples, indices: np.ndarray) -> SelectedExamples:
  """Some of the views, without a selection of a selection."""
  if isinstance(views, SelectedExamples):
    return SelectedExamples(views.examples, views.indices[indices])
  return SelectedExamples(views, indices)
