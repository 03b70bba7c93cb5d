"""`fit`: what it writes, how it stops, and that it goes on where it was."""

import re
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import Diverged, InputError
from objectcentric_jax.training.checkpoints import restore_model
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.loop import fit
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.reports import read_metrics
from objectcentric_jax.training.state import init_state
from tests.training import toy

SPEED = {"examples_per_second", "waiting_for_data"}
CROSSES_ZERO = {"level": {"kind": "linear", "start": 1.0, "end": -1.0, "steps": 11}}


class Killed(Exception):
  """Stands for whatever ends a run."""


class BreaksAfter:
  """Batches that end with an exception after so many."""

  def __init__(self, count):
    self._batches, self._left = toy.batches(), count + 1  # `fit` looks at one first

  def get_state(self):
    return self._batches.get_state()

  def set_state(self, state):
    self._batches.set_state(state)

  def __next__(self):
    if not self._left:
      raise Killed
    self._left -= 1
    return next(self._batches)


def train(workdir, batches=None, evaluate=None, stop=None, state=None, noise=0.5, **train):
  config = toy.config(**train)
  task = toy.task(config["train"]["parallel"], noise)
  return fit(
    task,
    batches or toy.batches(),
    config,
    workdir,
    devices=Devices(),
    evaluate=evaluate,
    stop=stop,
    state=state,
  )


def score(state):
  return {"score": float(state.model_state["average"]), "step": float(state.step)}


def without_speed(lines):
  return [{name: line[name] for name in line if name not in SPEED} for line in lines]


def checkpoints(workdir):
  return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


def test_reports_are_means_since_the_last_one(tmp_path):
  every = train(tmp_path / "every", report_every=1, steps=7)
  third = train(tmp_path / "third", report_every=3, steps=7)
  toy.assert_same(third, every)
  single = read_metrics(tmp_path / "every")
  assert [line["step"] for line in single] == list(range(1, 8))
  lines = read_metrics(tmp_path / "third")
  assert [line["step"] for line in lines] == [3, 6, 7]
  for line, part in zip(lines, (single[:3], single[3:6], single[6:]), strict=True):
    assert set(line) == set(single[1]) and set(single[1]) - set(single[0]) == SPEED
    for name in set(line) - SPEED - {"step"}:
      np.testing.assert_allclose(line[name], np.mean([one[name] for one in part]), rtol=1e-6)
    assert line["examples_per_second"] > 0 and 0 <= line["waiting_for_data"] <= 1


def test_progress_lines(tmp_path, capsys):
  train(tmp_path, steps=4, evaluate=score, evaluate_every=2)
  lines = capsys.readouterr().err.splitlines()
  number = r"[-+.e\d]+"
  speed = f"examples_per_second {number}  waiting_for_data {number}  ETA \\d+s"
  reports = [line for line in lines if "reconstruction" in line]
  assert re.fullmatch(f"step 1/4  reconstruction {number}", reports[0])
  for step, line in enumerate(reports[1:], start=2):
    assert re.fullmatch(f"step {step}/4  reconstruction {number}  {speed}", line)
  assert reports[-1].endswith("ETA 0s")
  scores = [line for line in lines if "eval/score" in line]
  assert [line.split()[1] for line in scores] == ["2/4", "4/4"]
  assert len(lines) == len(reports) + len(scores) == 6


@pytest.mark.parametrize(
  ("evaluate_every", "steps", "expected"), [(0, 5, [5]), (2, 5, [2, 4, 5]), (2, 4, [2, 4])]
)
def test_evaluation_happens_at_its_steps_and_at_the_end(tmp_path, evaluate_every, steps, expected):
  train(tmp_path, evaluate=score, evaluate_every=evaluate_every, steps=steps, report_every=100)
  lines = [line for line in read_metrics(tmp_path) if "eval/score" in line]
  assert [line["step"] for line in lines] == expected
  assert [line["eval/step"] for line in lines] == expected
  best = max(lines, key=lambda line: line["eval/score"])
  assert [path.name for path in (tmp_path / "best").iterdir()] == [str(best["step"])]


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_a_broken_run_goes_on_to_the_same_end(tmp_path, parallel):
  settings = {"parallel": parallel, "steps": 9, "evaluate_every": 3, "evaluate": score}
  straight = train(tmp_path / "straight", **settings)
  for after in (0, 1, 5, 3):
    with pytest.raises(Killed):
      train(tmp_path / "broken", batches=BreaksAfter(after), **settings)
  resumed = train(tmp_path / "broken", **settings)
  toy.assert_same(resumed, straight)
  assert without_speed(read_metrics(tmp_path / "broken")) == without_speed(
    read_metrics(tmp_path / "straight")
  )
  like = {"params": straight.params, "model_state": straight.model_state}
  for best in (False, True):
    found, expected = (restore_model(tmp_path / w, like, best) for w in ("broken", "straight"))
    toy.assert_same(found, expected)


def test_a_resumed_run_forgets_what_came_after_its_checkpoint(tmp_path):
  with pytest.raises(Killed):
    train(tmp_path, batches=BreaksAfter(5), checkpoint_every=2)
  assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4, 5]
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"step": 6, "loss": 0.')  # cut off by the kill
  train(tmp_path, checkpoint_every=2)
  assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_a_finished_run_does_nothing_more(tmp_path, capsys):
  first = train(tmp_path, evaluate=score)
  lines = (tmp_path / "metrics.jsonl").read_text()
  again = train(tmp_path, evaluate=lambda state: pytest.fail("evaluated again"))
  toy.assert_same(again, first)
  assert (tmp_path / "metrics.jsonl").read_text() == lines
  assert f"resuming from step 6 of {tmp_path}" in capsys.readouterr().out


def test_stop_ends_the_training_for_good(tmp_path):
  settings = {"evaluate": score, "evaluate_every": 1, "steps": 50, "checkpoint_every": 20}
  state = train(tmp_path, stop=lambda scores: scores["step"] >= 3, **settings)
  assert int(state.step) == 3 and checkpoints(tmp_path) == [3]
  again = train(tmp_path, stop=lambda scores: pytest.fail("asked again"), **settings)
  toy.assert_same(again, state)


def test_a_killed_evaluation_is_repeated(tmp_path):
  def killed(state):
    raise Killed

  with pytest.raises(Killed):
    train(tmp_path, evaluate=killed, evaluate_every=4, steps=5)
  assert checkpoints(tmp_path) == [2]  # a checkpoint of step 4 would skip its evaluation
  train(tmp_path, evaluate=score, evaluate_every=4, steps=5)
  assert [line["step"] for line in read_metrics(tmp_path) if "eval/score" in line] == [4, 5]


@pytest.mark.parametrize("report_every", [1, 100])
def test_a_number_that_is_not_one_stops_the_run(tmp_path, report_every):
  """The level is 1/11 before step 6 and -1/11 before step 7, which has no logarithm."""
  with pytest.raises(Diverged) as caught:
    train(
      tmp_path,
      steps=20,
      schedules=CROSSES_ZERO,
      report_every=report_every,
      evaluate=score,
      evaluate_every=8,
    )
  message = str(caught.value)
  assert message.startswith("step 7: penalty is nan (then: elbo, loss); ")
  assert "last good checkpoint is kept" in message and "\n" not in message
  assert max(checkpoints(tmp_path)) == 6
  updates = make_updates(toy.config()["train"]["updates"], ["error"])
  example = {"image": jnp.zeros((1, toy.SIDE, toy.SIDE, 3))}
  like = Devices().place(
    lambda key: init_state(toy.task(), updates, key, example), jax.random.key(0)
  )
  like = {"params": like.params, "model_state": like.model_state}
  model, step = restore_model(tmp_path, like)
  assert step == 6
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(model))
  assert not list((tmp_path / "best").iterdir())  # and step 8 is not scored


def test_parameters_that_diverge_are_named(tmp_path):
  rate = {"kind": "piecewise", "values": [0.1, float("inf")], "steps": [2]}
  updates = [{"loss": "error", "clip": 0.0, "groups": {"": {"name": "sgd", "rate": rate}}}]
  with pytest.raises(Diverged, match="^step 3: parameter_norm is (nan|inf); "):
    train(tmp_path, updates=updates)
  assert checkpoints(tmp_path) == [2]


def test_a_given_state_is_where_a_fresh_run_starts_and_stays_usable(tmp_path):
  first = train(tmp_path / "first", steps=2)
  kernel = np.asarray(first.params["encoder"]["kernel"])
  second = train(tmp_path / "second", state=first, steps=4, batches=BreaksAfter(100))
  assert int(second.step) == 4
  np.testing.assert_array_equal(first.params["encoder"]["kernel"], kernel)
  assert (np.asarray(second.params["encoder"]["kernel"]) != kernel).any()
  again = train(tmp_path / "second", state=first, steps=4)  # resumes, whatever is given
  toy.assert_same(again, second)


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"parallel": "nonsense"}, "config.train.parallel is 'nonsense': choose one of jit, pmap"),
    ({"steps": 0}, "config.train.steps is 0"),
    ({"checkpoint_every": 0}, "config.train.checkpoint_every is 0"),
    ({"report_every": -1}, "config.train.report_every is -1"),
    ({"updates": []}, "config.train.updates is empty"),
    ({"schedules": {"beta": {"kind": "no"}}}, "schedule beta: kind 'no'"),
  ],
)
def test_unusable_settings_leave_the_workdir_alone(tmp_path, change, words):
  with pytest.raises(InputError, match=words):
    train(tmp_path / "run", **change)
  assert not (tmp_path / "run").exists()


def test_the_workdir_of_another_config_is_refused(tmp_path):
  train(tmp_path, steps=2)
  with pytest.raises(InputError, match="config.train.steps was 2, now 3"):
    train(tmp_path, steps=3)


def test_tensorboard_without_its_package_is_an_error(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "tensorboardX", None)
  with pytest.raises(InputError, match="pip install tensorboardX"):
    train(tmp_path, tensorboard=True)


def test_tensorboard_writes_again_what_comes_after_the_checkpoint(tmp_path, monkeypatch):
  """Checks the calls, since the package is an extra that the tests do without."""
  calls = []

  class SummaryWriter:
    def __init__(self, folder, purge_step):
      calls.append((folder, purge_step))

    def add_scalar(self, name, value, step):
      calls.append((name, value, step))

    def close(self):
      calls.append("closed")

  package = types.SimpleNamespace(SummaryWriter=SummaryWriter)
  monkeypatch.setitem(sys.modules, "tensorboardX", package)
  with pytest.raises(Killed):
    train(tmp_path, tensorboard=True, batches=BreaksAfter(3))
  calls.clear()
  train(tmp_path, tensorboard=True)
  assert calls[0] == (str(tmp_path / "events"), 3)  # steps from 3 on are written again
  errors = {call[2]: call[1] for call in calls if call[0] == "reconstruction"}
  assert errors == {
    line["step"]: line["reconstruction"] for line in read_metrics(tmp_path) if line["step"] > 2
  }
  assert calls[-1] == "closed"
