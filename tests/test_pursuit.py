"""The command of the pursuit, with a network that compiles in no time."""

import collections
import json
import logging

import jax
import numpy as np
import pytest

from experiments import pursuit_stream
from experiments.inner_trainings import InnerTrainings
from experiments.pursuit_evaluation import evaluate, identification, journal_counts
from experiments.pursuit_run import Pursuit
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit import pursuit
from objectcentric_jax.models.object_pursuit.pursuit import Decision
from objectcentric_jax.models.object_pursuit.store import read_journal
from tests import tiny_objects
from tests.conftest import finish, start

FILES = ("journal.jsonl", "journal.txt", "objects.json")


class Killed(Exception):
  """As if the process had ended here."""


@pytest.fixture(autouse=True, scope="module")
def _objects():
  """Every stream here is of the drawn objects."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(pursuit_stream, "open_objects", tiny_objects.objects)
    yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """An uninterrupted pursuit: its folder, its parts, and how often something was scored."""
  workdir = tmp_path_factory.mktemp("whole")
  run = Pursuit(tiny_objects.config(), workdir)
  run.scored = 0
  scores = run.trainings.scores

  def counted(*arguments):
    run.scored += 1
    return scores(*arguments)

  run.trainings.scores = counted
  run.run()
  run.trainings.scores = scores
  return run


def test_a_pursuit_leaves_a_journal_and_figures(whole):
  decisions = read_journal(whole.workdir)
  names = [decision.name for decision in decisions]
  assert names == [arrival.name for arrival in whole.stream.arrivals]
  assert len(names) == 6 and names[2] == names[0] and decisions[2].visit == 1
  knowledge, restored = whole.restored()
  assert restored == decisions
  assert {d.outcome for d in decisions} <= set(pursuit.OUTCOMES)
  accepted = [d for d in decisions if d.object is not None and d.outcome != pursuit.RECOGNISED]
  assert len(accepted) == len(knowledge.objects) >= 2 and knowledge.base_count >= 1
  for d in accepted:
    reached = d.scores["check" if d.outcome == pursuit.REDUNDANT else [*d.scores][0]]
    if d.outcome == pursuit.NEW_BASE:
      reached = d.scores["learn"]
    assert reached >= 0.5 and knowledge.objects[d.object].score == pytest.approx(reached)
  changed = [d for d in decisions if d.outcome in (pursuit.NEW_BASE, pursuit.REDUNDANT)]
  assert all(set(d.retained) == set(range(d.object + 1)) for d in changed)
  for name in ("growth", "forgetting", "space"):
    assert (whole.workdir / "images" / f"{name}.png").exists()
  # The trainings keep their records and no checkpoints.
  folders = sorted(whole.workdir.glob("trainings/*/*"))
  assert folders and all((folder / "metrics.jsonl").exists() for folder in folders)
  assert not [folder for folder in folders if (folder / "checkpoints").exists()]


# In the first learning, in a second check, and while the last arrivals are compared.
@pytest.mark.parametrize("share", [0.04, 0.4, 0.95])
def test_a_killed_pursuit_ends_as_if_it_had_not_been(tmp_path, monkeypatch, whole, share):
  left, scores = int(share * whole.scored), InnerTrainings.scores

  def mortal(self, *arguments):
    nonlocal left
    left -= 1
    if left < 0:
      raise Killed
    return scores(self, *arguments)

  monkeypatch.setattr(InnerTrainings, "scores", mortal)
  with pytest.raises(Killed):
    Pursuit(tiny_objects.config(), tmp_path).run()
  monkeypatch.setattr(InnerTrainings, "scores", scores)
  Pursuit(tiny_objects.config(), tmp_path).run()
  for name in FILES:
    assert (tmp_path / name).read_text() == (whole.workdir / name).read_text()
  found, expected = Pursuit(tiny_objects.config(), tmp_path).restored()[0], whole.restored()[0]
  jax.tree.map(np.testing.assert_array_equal, found.memory, expected.memory)
  jax.tree.map(np.testing.assert_array_equal, found.networks, expected.networks)


def test_each_kind_of_training_compiles_once(tmp_path):
  counts = collections.Counter()

  class Count(logging.Handler):
    def emit(self, record):
      message = record.getMessage()
      if message.startswith("Compiling "):
        counts[message.split()[1].removeprefix("jit(").rstrip(")")] += 1

  config = tiny_objects.config()
  config.model.bases = config.model.known = 8  # room for all
  logger, handler = logging.getLogger("jax._src.interpreters.pxla"), Count()
  logger.addHandler(handler)
  with jax.log_compiles():
    Pursuit(config, tmp_path).run()
  logger.removeHandler(handler)
  decisions = read_journal(tmp_path)
  assert (
    sum(len(d.scores) for d in decisions) > 3 and sum("learn" in d.scores for d in decisions) > 1
  )
  # The first base with the backbone, other bases, and coefficients.
  assert counts["train_step"] == 3, counts
  assert counts["_measured"] == 1 and counts["_generated"] == 1, counts


def test_what_is_held_out_is_not_trained_with(whole):
  stream = whole.stream
  seen = {}
  for arrival in stream.arrivals:
    views = stream.views(arrival)
    train, scored = set(views.train.indices), set(views.held_out.indices)
    assert not train & scored
    assert not seen.setdefault(arrival.name, set()) & (train | scored), "other views every visit"
    seen[arrival.name] |= train | scored
  everything = tiny_objects.config(held_out=1.0, fresh_visits=False)
  stream = type(stream)(everything)
  first, again = stream.views(stream.arrivals[0]), stream.views(stream.arrivals[2])
  np.testing.assert_array_equal(first.train.indices, first.held_out.indices)
  np.testing.assert_array_equal(first.train.indices, again.train.indices)
  assert len(stream.unseen) == 3
  few = type(stream)(tiny_objects.config(most_views=5))
  views = few.views(few.arrivals[1])
  assert len(views.train) + len(views.held_out) == 5


def test_the_same_settings_give_the_same_views(whole):
  again = type(whole.stream)(tiny_objects.config())
  for arrival in whole.stream.arrivals:
    first, second = whole.stream.views(arrival), again.views(arrival)
    assert (first.name, first.seed) == (second.name, second.seed)
    np.testing.assert_array_equal(first.train.indices, second.train.indices)


def test_evaluation_of_seen_and_unseen_objects(whole, capsys):
  run = whole
  result = evaluate(*run.restored(), run.stream, run.trainings, run.config, run.workdir)
  summary = result["summary"]
  assert json.loads((run.workdir / "evaluation.json").read_text())["summary"] == summary
  assert len(result["unseen"]) == 3 and len(result["seen"]) == summary["known_objects"]
  for name in ("dice", "iou", "boundary_f", "j_and_f"):
    assert 0 <= summary[f"seen_{name}"] <= 1 and 0 <= summary[f"unseen_expressed_{name}"] <= 1
  assert "identification_recall" in summary and "bases_per_object" in capsys.readouterr().out


def test_simplified_bases_are_written_beside_the_pursuit(whole, capsys):
  before = whole.restored()[0].base_count
  whole.simplify()
  after = Pursuit(tiny_objects.config(), whole.workdir / "simplified").restored()[0]
  assert after.base_count <= before
  assert f"{before} bases before, {after.base_count} after" in capsys.readouterr().out


def decision(name, outcome, number=None, visit=0, bases=1):
  return Decision(1, name, visit, outcome, object=number, bases=bases)


def test_counts_of_a_journal():
  counts = journal_counts(
    [
      decision("a", pursuit.NEW_BASE, 0),
      decision("b", pursuit.EXPRESSED, 1),
      decision("a", pursuit.RECOGNISED, 0, 1),
      decision("c", pursuit.UNQUALIFIED),
      decision("b", pursuit.RECOGNISED, 0, 1),
      decision("d", pursuit.RECOGNISED, 0),
      decision("e", pursuit.UNUSABLE),
      decision("a", pursuit.REDUNDANT, 2, 2, bases=1),
    ]
  )
  assert counts["different_objects"] == 4 and counts["known_objects"] == 3
  assert counts["visits_of_known_objects"] == 3  # a twice and b once
  assert counts["visits_recognised"] == 3 and counts["visits_recognised_rightly"] == 1
  assert counts["bases_per_object"] == 0.25 and counts["expressed_per_object"] == 0.25
  assert counts["redundant_or_unqualified_per_object"] == 0.5
  assert journal_counts([])["arrivals"] == 0


def test_recall_and_precision_of_identification():
  def entry(number, correct=False):
    return {"taken": {"object": number}, "correct": correct}

  seen = [entry(0, True), entry(1, True), entry(0), entry(None)]
  unseen = [entry(2), entry(None)]
  assert identification(seen, unseen) == {
    "identification_recall": 0.75,
    "identification_precision": pytest.approx(2 / 3),
    "unseen_taken_for_known": 0.5,
  }
  assert identification([], []) == {}


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"first": 5, "count": 4}, "config.pursuit.first 5 and count 4: generated train has 7 objects"),
    ({"held_out": 0.0}, "config.pursuit.held_out is 0.0: a share is needed"),
    ({"order": "up"}, "config.pursuit.order is 'up'"),
  ],
)
def test_settings_that_cannot_be(tmp_path, change, words):
  with pytest.raises(InputError, match=words):
    Pursuit(tiny_objects.config(**change), tmp_path)


def test_a_pursuit_starts_with_what_another_one_knows(tmp_path, whole):
  source = str(whole.workdir)
  given = dict(hypernetwork=source, backbone=source, bases=source, objects=source, count=2)
  run = Pursuit(tiny_objects.config(**given), tmp_path)
  run.run()
  before, (after, decisions) = whole.restored()[0], run.restored()
  assert after.given == len(before.objects)
  np.testing.assert_array_equal(
    after.memory.bases[: before.base_count], before.memory.bases[: before.base_count]
  )
  assert decisions[0].similarities == {}  # what was given is no candidate
  jax.tree.map(
    np.testing.assert_array_equal,
    after.networks["params"]["backbone"],
    before.networks["params"]["backbone"],
  )


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"bases": "nowhere"}, "config.pursuit.bases 'nowhere' does not exist"),
    ({"hypernetwork": "nowhere"}, "nowhere"),
  ],
)
def test_what_cannot_be_given(tmp_path, change, words):
  with pytest.raises(InputError, match=words):
    Pursuit(tiny_objects.config(**change), tmp_path).run()


def test_wrong_commands_are_one_line_errors(tmp_path):
  for arguments, message in (
    (("--workdir", tmp_path, "--eval"), "is not a workdir"),
    (("--workdir", tmp_path), "--config FILE.py is needed to begin a pursuit"),
  ):
    status, _, errors = finish(start("experiments.pursuit", *arguments))
    assert status == 1 and message in errors and len(errors.splitlines()) == 1, errors
