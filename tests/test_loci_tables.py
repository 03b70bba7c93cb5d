"""Tables of Loci by the command, from sets in their published layout: slow, four programs."""

import json

import jax
import numpy as np
import pytest

from configs.loci import _base, generated_loci, review_test
from data.prepare import prepare
from experiments import build
from objectcentric_jax.training.checkpoints import Checkpoints, write_config
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.state import state_from
from tests import conftest
from tests.data import test_movi, test_review

SEEDS = ("1", "2")


def save_untrained(config, workdir):
  """A run with the parameters that a training would start from."""
  config.model.update_from_flattened_dict({"gestalt": 16, "predictor.channels": 56})
  config.model.predictor.layers = 1
  config.data.batch_size = config.eval.batch_size = 1
  task = build.make_task(config)
  batch = {name: np.zeros(x.shape, x.dtype) for name, x in build.example_batch(config).items()}

  def start(key):
    return state_from(*task.init(key, batch), (), key, 5)

  write_config(workdir, config.to_dict())
  checkpoints = Checkpoints(workdir, config.to_dict(), config.eval.best)
  checkpoints.save(Devices().place(start, jax.random.key(0)), iterator=None)
  checkpoints.close()


def table(root, workdir, name, *arguments):
  """Printed lines by their first words, and the scores of every seed."""
  printed = conftest.run(
    "experiments.loci_tables",
    *(f"--table={name}", "--workdir", workdir, f"--seeds={','.join(SEEDS)}", *arguments),
    OBJECTCENTRIC_DATA=str(root),
  )
  return printed, json.loads((workdir / f"table-{name}.json").read_text())


def check(printed, found, rows, score):
  assert set(found) == set(rows)
  for row in rows:
    values = [seed[score] for seed in found[row]]
    assert len(values) == len(SEEDS) and all(0 <= value <= 1 for value in values)
    (line,) = [line for line in printed.splitlines() if line.startswith(f"{row}  ")]
    assert f"{np.mean(values):.3f} +-{np.std(values):.3f}" in line


@pytest.mark.slow
def test_sets_of_movi(tmp_path, monkeypatch):
  monkeypatch.setattr(test_movi, "SIDE", 256)
  monkeypatch.setattr(test_movi, "FRAMES", 24)
  raw = test_movi.save_tree(tmp_path / "raw")
  for path in sorted(raw.rglob("movi_e*"), reverse=True):  # files before their folder
    path.rename(path.with_name(path.name.replace("movi_e", "movi_c")))
  prepare("movi/c_256px_depth", tmp_path / "data", raw, processes=1)
  config = generated_loci.get_config()
  config.data.frames = 24
  save_untrained(config, tmp_path / "run")
  arguments = ("--sets=c", "--modes=random,regularization")
  printed, found = table(tmp_path / "data", tmp_path / "run", "movi", *arguments)
  check(printed, found, ["movi-c random", "movi-c regularization"], "iou")


@pytest.mark.slow
def test_sets_of_the_review(tmp_path):
  for name in _base.REVIEW:
    raw = test_review.save_hdf5(tmp_path / "raw" / f"{name}.h5", ["test", "generalization"])
    prepare(f"review/{name}", tmp_path / "data", raw, processes=1)
  config = review_test.get_config()
  data = {name: config.data[name] for name in ("chunk", "lead", "frames")}
  _base.small_loci(config)
  config.data.update(data)
  config.model.teacher_forcing, config.model.free_steps = 2, 2
  save_untrained(config, tmp_path / "run")
  printed, found = table(tmp_path / "data", tmp_path / "run", "review", "--modes=random")
  check(printed, found, ["test random", "generalization random"], "prediction/iou")
  assert "published/prediction/ami" in printed and "prediction/ordering" in printed
