"""Views object by object."""

import pickle

import numpy as np
import pytest

from configs import sections
from data import prepare
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples, SelectedExamples
from objectcentric_jax.input.objects import held_out, open_objects, parts
from objectcentric_jax.input.pipeline import train_batches

SET = "object_folders/16px_3objects_train5_validation2_test1"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  """Folder of prepared sets that has SET."""
  root = tmp_path_factory.mktemp("objects")
  prepare.prepare(SET, root, processes=1)
  return root


def data_config(root, **changes):
  config = sections.base().data.to_dict()
  config |= {"name": SET, "directory": str(root), "side": 16, "fields": ("image", "segmentation")}
  return config | changes


@pytest.mark.parametrize("memory", [1.0, 0.0])
def test_every_view_belongs_to_its_object(root, memory):
  config = data_config(root, memory=memory)
  objects = open_objects(config, "train")
  assert list(objects) == [f"data_Generated_Object{n:03d}" for n in range(3)]
  known = open_objects({**config, "fields": ("image", "metadata/object_id")}, "train")
  for number, (name, views) in enumerate(objects.items()):
    assert len(views) == views.about["count"] == 5
    assert isinstance(views.examples, ArrayExamples) == (memory > 0)
    batch = known[name].read(np.arange(5))
    assert (batch["metadata/object_id"] == number).all()
    np.testing.assert_array_equal(views.read(np.arange(5))["image"], batch["image"])
  every = np.sort(np.concatenate([views.indices for views in objects.values()]))
  np.testing.assert_array_equal(every, np.arange(15))


def test_made_up_scenes_belong_to_objects_in_turn():
  config = data_config("", name="generated", objects=3, fields=("image",))
  objects = open_objects(config, "train")
  assert [len(views) for views in objects.values()] == [22, 21, 21]
  np.testing.assert_array_equal(objects["object 1"].indices[:3], [1, 4, 7])


def test_other_sets_are_refused(small_set):
  from tests.conftest import SMALL_SET

  config = data_config(small_set, name=f"multi_dsprites/{SMALL_SET}", side=32)
  with pytest.raises(InputError, match="is no set of views of objects"):
    open_objects(config, "train")


def numbers(count):
  return ArrayExamples({"number": np.arange(count)}, {"name": "numbers", "split": "all"})


def test_selected_examples_read_through():
  chosen = SelectedExamples(numbers(9), [7, 2, 2, 5])
  np.testing.assert_array_equal(chosen.read(np.array([0, 3, 1]))["number"], [7, 5, 2])
  assert len(chosen) == chosen.about["count"] == 4 and not chosen.random
  again = pickle.loads(pickle.dumps(chosen))
  np.testing.assert_array_equal(again.read(np.arange(4))["number"], [7, 2, 2, 5])
  batches = train_batches(chosen, 4, seed=0)
  assert sorted(next(batches)["number"]) == [2, 2, 5, 7]


def test_parts_share_no_view():
  views = SelectedExamples(numbers(20), np.arange(10, 20))
  found = [part.indices for part in parts(views, 3, seed=1)]
  assert [len(part) for part in found] == [4, 3, 3]
  np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.arange(10, 20))
  np.testing.assert_array_equal(found[0], parts(views, 3, seed=1)[0].indices)
  assert any((a != b.indices).any() for a, b in zip(found, parts(views, 3, seed=2), strict=True))


@pytest.mark.parametrize(
  ("count", "share", "kept"), [(10, 0.2, 2), (10, 0.01, 1), (2, 0.9, 2), (1, 0.5, 0), (10, 0.25, 2)]
)
def test_what_is_held_out(count, share, kept):
  train, scored = held_out(numbers(count), share, seed=0)
  assert len(scored) == kept and len(train) + len(scored) == count
  assert not set(train.indices) & set(scored.indices)


def test_everything_may_be_in_both_parts():
  train, scored = held_out(numbers(4), 1.0, seed=0)
  np.testing.assert_array_equal(train.indices, scored.indices)
  assert len(train) == 4
