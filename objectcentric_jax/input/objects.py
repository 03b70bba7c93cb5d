"""Sets of views of objects, object by object: which examples of a split show which object."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.errors import InputError, closest
from objectcentric_jax.input.arrays import (
  ArrayExamples,
  ConcatenatedExamples,
  Examples,
  GroupedExamples,
  SelectedExamples,
)
from objectcentric_jax.input.examples import open_split
from objectcentric_jax.input.generated import GENERATED

OBJECT_ID = "metadata/object_id"
OBJECT = "object"  # of a batch: the number of the object that all its examples show


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


def open_by_object(
  config: Mapping[str, Any], split: str, training: bool = False
) -> GroupedExamples:
  """Views whose batches show one object each, with its number among the chosen ones as `object`.

  Args:
    config: `config.data`. Several sets may be joined by + in its name. Its section `by_object`:
      `only`, the names of the objects to use, in the order of their numbers, () for all; `shots`,
      how many views of each are trained with, again and again, 0 for all but those that are held
      out; `held_out`, the share of the views that are scored and not trained with where both are
      of one split, 0 for none, so that what is trained with is scored, too; `seed`, which views
      these are: drawn by it, or with 0 the first ones for training.
    split: as for `open_split`.
    training: for training, else for scoring.

  Raises:
    InputError: there is no such object, or as for `open_objects`.
  """
  return by_object(joined_views(config, split, training), config, split, training)


def joined_views(
  config: Mapping[str, Any], split: str, training: bool = False
) -> dict[str, SelectedExamples]:
  """The views of each object of all sets in a name joined by +; see `open_by_object`."""
  views = {}
  for name in config["name"].split("+"):
    views |= _numbered(open_objects({**config, "name": name}, split, training), views)
  return views


def by_object(
  views: Mapping[str, SelectedExamples], config: Mapping[str, Any], split: str, training: bool
) -> GroupedExamples:
  """What `open_by_object` chooses of the views of `joined_views`."""
  settings = config["by_object"]
  # The made-up scenes of a smoke test have names of their own.
  names = list(views) if config["name"] == GENERATED else list(settings["only"]) or list(views)
  for name in names:
    if name not in views:
      raise InputError(
        f"config.data.by_object.only: {config['name']} {split} has no object {name!r}"
        f"{closest(name, views)}; it has {', '.join(list(views)[:8])} ..."
      )
  apart = bool(settings["held_out"]) and split == config["split"]
  chosen = [_chosen(views[name], settings, training, apart) for name in names]
  groups = np.repeat(np.arange(len(names)), [len(views) for views in chosen])
  examples = ConcatenatedExamples(chosen)
  examples.about = {**examples.about, "name": config["name"], "objects": names}
  return GroupedExamples(examples, groups, OBJECT)


def _numbered(views: Mapping[str, Examples], known: Mapping[str, Examples]) -> dict[str, Examples]:
  """The views by names that are not known yet: "dog" of a second set is "dog 2"."""
  result = {}
  for name, found in views.items():
    number = 2
    new = name
    while new in known:
      new, number = f"{name} {number}", number + 1
    result[new] = found
  return result


def _chosen(
  views: SelectedExamples, settings: Mapping[str, Any], training: bool, apart: bool
) -> SelectedExamples:
  """The views of an object to train with, or those to score."""
  count, shots = len(views), settings["shots"]
  seed = settings["seed"]
  order = np.random.default_rng(seed).permutation(count) if seed else np.arange(count)
  most = count - max(1, round(settings["held_out"] * count)) if apart else count
  used = min(shots or most, most if count > 1 else 1)
  if training:
    # As many as there are, so that an epoch is as long whatever the number of shots.
    return _selected(views, np.resize(order[:used], count) if shots else np.sort(order[:used]))
  return _selected(views, np.sort(order[used:]) if apart and used < count else np.arange(count))


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
