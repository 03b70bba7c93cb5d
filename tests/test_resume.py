"""Killed with -9 at any moment and started again, a run ends where an uninterrupted one does."""

import json
import random
import threading

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from tests import conftest
from tests.training import toy

STEPS = 12
CONFIG = (
  *conftest.TINY,
  "--config.train.checkpoint_every=1",
  "--config.train.evaluate_every=4",
)


def arguments(workdir, steps):
  return (*CONFIG, f"--config.train.steps={steps}", "--workdir", workdir)


def final_state(workdir, steps):
  """Everything in the last checkpoint: parameters, optimisers, model state, key, data position."""
  with ocp.CheckpointManager(workdir / "checkpoints") as manager:
    assert manager.latest_step() == steps
    items = ocp.args.Composite(state=ocp.args.StandardRestore(), notes=ocp.args.JsonRestore())
    restored = manager.restore(steps, args=items)
  return restored["state"], restored["notes"]


def scalars(workdir):
  """What was logged, but for how fast it went."""
  lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
  speed = ("examples_per_second", "waiting_for_data")
  return [{name: line[name] for name in line if name not in speed} for line in lines]


def kill_when(condition, workdir, steps) -> bool:
  """Starts a run and kills it as soon as the condition holds; whether it still ran then."""
  process = conftest.start("experiments.train", *arguments(workdir, steps))
  pause = threading.Event()
  for _ in range(300_000):
    if process.poll() is not None or condition():
      break
    pause.wait(0.001)
  alive = process.poll() is None
  conftest.kill(process) if alive else conftest.finish(process)
  return alive


def logged(workdir):
  path = workdir / "metrics.jsonl"
  return path.read_bytes().count(b"\n") if path.exists() else 0


def writing(folder, step):
  """Whether a checkpoint of this step or a later one is being written."""
  return any(int(path.name.partition(".")[0]) >= step for path in folder.glob("*-tmp*"))


def assert_same_end(workdir, straight, steps):
  found, expected = final_state(workdir, steps), final_state(straight, steps)
  assert found[1] == expected[1]
  toy.assert_same(found[0], expected[0])
  assert scalars(workdir) == scalars(straight)
  results = [json.loads((w / "evaluation-test.json").read_text()) for w in (workdir, straight)]
  assert results[0] == results[1]
  best = [[path.name for path in (w / "best").iterdir()] for w in (workdir, straight)]
  assert best[0] == best[1] and len(best[0]) == 1


def test_killed_three_times(tmp_path):
  straight, workdir = tmp_path / "straight", tmp_path / "killed"
  conftest.run("experiments.train", *arguments(straight, STEPS))
  moments = (
    lambda: writing(workdir / "checkpoints", 2),
    lambda: writing(workdir / "best", 4),
    lambda: logged(workdir) >= 9,
  )
  for moment in moments:
    assert kill_when(moment, workdir, STEPS)
  out = conftest.run("experiments.train", *arguments(workdir, STEPS))
  assert "resuming from step" in out
  assert_same_end(workdir, straight, STEPS)


@pytest.mark.slow
def test_killed_ten_times_at_random(tmp_path):
  """Half of the kills wait for a checkpoint being written."""
  steps, seed = 60, random.SystemRandom().randrange(10**6)
  print("seed", seed)
  draw = random.Random(seed)
  straight, workdir = tmp_path / "straight", tmp_path / "killed"
  conftest.run("experiments.train", *arguments(straight, steps))
  kills, pause = [], threading.Event()
  while len(kills) < 10:
    start, ahead, delay = logged(workdir), draw.randint(1, 8), draw.uniform(0, 0.2)
    odd = len(kills) % 2

    def moment(start=start, ahead=ahead, delay=delay, odd=odd):
      if logged(workdir) < start + ahead and logged(workdir) < steps - 2:
        return False
      if odd:
        return writing(workdir / "checkpoints", 0)
      pause.wait(delay)
      return True

    assert kill_when(moment, workdir, steps)
    half = sorted(path.name for path in (workdir / "checkpoints").iterdir())
    kills.append((logged(workdir), half))
    print("killed:", *kills[-1])
  conftest.run("experiments.train", *arguments(workdir, steps))
  assert_same_end(workdir, straight, steps)
  leaves = jax.tree.leaves(final_state(workdir, steps)[0])
  print(f"{len(leaves)} arrays, {sum(np.size(leaf) for leaf in leaves):,} numbers, all equal")
