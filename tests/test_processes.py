"""Two processes of two devices each train as one process does."""

import json
import re
import shutil
import socket

import numpy as np

from tests import conftest

STEPS = 4
SPEED = {"examples_per_second", "waiting_for_data"}


def arguments(workdir):
  settings = ("steps=4", "checkpoint_every=2", "evaluate_every=2")
  return (*conftest.TINY, *(f"--config.train.{s}" for s in settings), "--workdir", workdir)


def free_port():
  with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    return listener.getsockname()[1]


def lines(workdir):
  return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def assert_same_run(found, expected):
  """The same losses and scores: to 1e-5, and gradients of the later steps to 1e-3."""
  found, expected = lines(found), lines(expected)
  assert [line["step"] for line in found] == [line["step"] for line in expected]
  for one, other in zip(found, expected, strict=True):
    assert set(one) - SPEED == set(other) - SPEED
    for name in set(one) - SPEED:
      tolerance = 1e-3 if "gradient_norm/" in name else 1e-5
      np.testing.assert_allclose(one[name], other[name], tolerance, tolerance, err_msg=name)


def test_two_processes_train_as_one(tmp_path):
  alone, together = tmp_path / "alone", tmp_path / "together"
  conftest.run("experiments.train", *arguments(alone))
  common = ("--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2)
  processes = [
    conftest.start("experiments.train", *arguments(together), *common, "--process", i, devices=2)
    for i in range(2)
  ]
  results = [conftest.finish(process) for process in processes]
  for status, out, errors in results:
    assert status == 0, out + errors
  (_, main, progress), (_, other, silence) = results
  assert "4 x cpu" in main and "scores: " in main and f"step {STEPS}/{STEPS}" in progress
  assert "step" not in other + silence  # one of them reports
  assert_same_run(together, alone)
  scores = [json.loads((w / "evaluation-test.json").read_text()) for w in (together, alone)]
  assert scores[0].keys() == scores[1].keys()
  for name, value in scores[1]["scores"].items():
    np.testing.assert_allclose(scores[0]["scores"][name], value, 1e-4, 1e-4, err_msg=name)
  # One process takes up what two have left.
  shutil.rmtree(together / "checkpoints" / "4")
  out = conftest.run("experiments.train", *arguments(together))
  assert re.search("resuming from step 2 ", out)
  assert_same_run(together, alone)
