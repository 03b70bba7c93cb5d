"""A pursuit on disk: it goes on where it was killed, and ends as if it had not been."""

import json

import jax
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit.pursuit import Rules, meet
from objectcentric_jax.models.object_pursuit.store import Store, read_journal
from objectcentric_jax.models.object_pursuit.stream import arrivals
from tests.models.object_pursuit.toy_trainings import Killed, ToyTrainings, start, views

ORDER = ("a", "b", "a", "d", "shuffled", "c", "few", "b")
FILES = ("journal.jsonl", "journal.txt", "objects.json")


def pursue(workdir, trainings, snapshot_every=0):
  """As the command does it, from whatever is in the folder."""
  store = Store(workdir, 0.8, snapshot_every)
  try:
    knowledge, decisions = store.restore(start()) or (start(), [])
    for arrival in arrivals(ORDER)[len(decisions) :]:
      shown = views(arrival.name)
      knowledge, decision = meet(knowledge, arrival, shown, trainings, Rules(0.8))
      decisions.append(decision)
      store.save(knowledge, decisions)
  finally:
    store.close()
  return knowledge


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """An uninterrupted pursuit: its folder, what it knows, how many calls it took."""
  workdir, trainings = tmp_path_factory.mktemp("whole"), ToyTrainings()
  return workdir, pursue(workdir, trainings, snapshot_every=3), len(trainings.calls)


# In the first arrival; in the second check of the second; in the failing learning; near the end.
@pytest.mark.parametrize("killed_at", [1, 5, 11, 16])
def test_what_is_killed_goes_on(tmp_path, whole, killed_at):
  workdir, knowledge, count = whole
  with pytest.raises(Killed):
    pursue(tmp_path, ToyTrainings(killed_at))
  before = len(read_journal(tmp_path)) if (tmp_path / "journal.jsonl").exists() else 0
  trainings = ToyTrainings()
  again = pursue(tmp_path, trainings)
  for name in FILES:
    assert (tmp_path / name).read_text() == (workdir / name).read_text()
  assert again.objects == knowledge.objects and again.backbone_fixed
  jax.tree.map(np.testing.assert_array_equal, again.memory, knowledge.memory)
  jax.tree.map(np.testing.assert_array_equal, again.networks, knowledge.networks)
  # Arrivals that were decided are not repeated; the one that was cut off is, from its beginning.
  finished = [0, 2, 6, 7, 9, 12, 16, 16, 17][before]
  assert finished <= killed_at and len(trainings.calls) == count - finished


def test_a_finished_pursuit_does_nothing_more(whole):
  workdir, knowledge, _ = whole
  trainings = ToyTrainings()
  again = pursue(workdir, trainings, snapshot_every=3)
  assert trainings.calls == [] and again.objects == knowledge.objects


def test_snapshots_are_kept(whole):
  workdir, _, _ = whole
  store = Store(workdir, 0.8, 3)
  knowledge, decisions = store.restore(start(), before=3)
  assert [d.round for d in decisions] == [1, 2] and knowledge.base_count == 2
  assert len(store.restore(start(), before=6)[1]) == 5
  with pytest.raises(InputError, match="no snapshot before arrival 4; there are: 3, 6, 8, 9"):
    store.restore(start(), before=4)
  store.close()


def test_the_list_of_objects(whole):
  workdir, _, _ = whole
  records = json.loads((workdir / "objects.json").read_text())
  assert [(r["object"], r["name"], r["round"], r["base"]) for r in records] == [
    *((0, "a", 1, 0), (1, "b", 2, 1)),
    *((2, "d", 4, None), (3, "c", 6, 2)),
  ]
  assert [r["recognised"] for r in records] == [[3], [8], [], []]
  assert len((workdir / "journal.txt").read_text().splitlines()) == len(ORDER)


def test_a_folder_without_a_pursuit(tmp_path):
  with pytest.raises(InputError, match="no pursuit was begun in this workdir"):
    read_journal(tmp_path)
  (tmp_path / "journal.jsonl").write_text('{"round": 1')
  with pytest.raises(InputError, match="journal.jsonl is damaged"):
    read_journal(tmp_path)
