"""Everything that runs many times is compiled once."""

import collections
import logging
import shutil

import jax
import pytest

from objectcentric_jax.evaluation import Evaluator
from objectcentric_jax.input.pipeline import evaluation_batches
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.loop import compile_train_step, fit
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.state import init_state
from tests import test_evaluation
from tests.training import toy

RATE = {"kind": "cosine", "peak": 0.1, "steps": 20, "warmup": 3}
SCHEDULES = {
  "level": {"kind": "linear", "start": 2.0, "end": 1.0, "steps": 5},
  "piece": {"kind": "piecewise", "values": [0.0, 1.0], "steps": [3]},
}


@pytest.fixture
def compiled():
  """Counts programs by name as jax compiles them."""
  counts = collections.Counter()

  class Count(logging.Handler):
    def emit(self, record):
      message = record.getMessage()
      if message.startswith("Compiling "):
        counts[message.split()[1].removeprefix("jit(").rstrip(")")] += 1

  logger, handler = logging.getLogger("jax._src.interpreters.pxla"), Count()
  logger.addHandler(handler)
  with jax.log_compiles():
    yield counts
  logger.removeHandler(handler)


PROGRAM = {"jit": "train_step", "pmap": "_fun"}  # the name that jax gives to the step


def train(workdir, parallel):
  group = {"name": "adam", "rate": RATE}
  config = toy.config(
    steps=7,
    parallel=parallel,
    schedules=SCHEDULES,
    updates=[{"loss": "error", "clip": 1.0, "groups": {"": group}}],
  )
  task = toy.task(parallel, noise=0.1)
  state = fit(task, toy.batches(), config, workdir, devices=Devices())
  return state, task.traced


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_one_compilation_of_the_step(tmp_path, compiled, parallel):
  _, traced = train(tmp_path, parallel)
  assert compiled[PROGRAM[parallel]] == 1 and len(traced) == 1


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_one_compilation_after_resuming(tmp_path, compiled, parallel):
  train(tmp_path, parallel)
  shutil.rmtree(tmp_path / "checkpoints" / "6")
  shutil.rmtree(tmp_path / "checkpoints" / "7")
  compiled.clear()
  state, traced = train(tmp_path, parallel)
  assert int(state.step) == 7
  assert compiled[PROGRAM[parallel]] == 1 and len(traced) == 1


def test_one_compilation_of_several_trainings_of_a_kind(tmp_path, compiled):
  config, task, devices = toy.config(steps=3), toy.task(), Devices()
  updates = make_updates(config["train"]["updates"], list(task.losses))
  state = jax.jit(lambda key: init_state(task, updates, key, toy.batch()))(jax.random.key(0))
  step = compile_train_step(task, config, devices, state)
  compiled.clear()
  ends = [
    fit(task, toy.batches(), config, workdir, devices=devices, state=state, train_step=step)
    for workdir in (tmp_path / "first", tmp_path / "second")
  ]
  assert int(ends[0].step) == 3
  toy.assert_same(*ends)
  assert compiled["train_step"] == 1 and compiled["_same"] == 1 and len(compiled) == 2, compiled


def test_one_compilation_of_the_scores(compiled):
  evaluator = Evaluator(test_evaluation.Blur(), [test_evaluation.distance], Devices(), 0)
  for count in (16, 19, 3):  # the last batch is whole, or filled up
    batches = evaluation_batches(test_evaluation.EXAMPLES, 8, count)
    evaluator(test_evaluation.PARAMS, test_evaluation.MODEL_STATE, batches)
  assert compiled["scores"] == 1
