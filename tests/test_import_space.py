"""A published SPACE checkpoint becomes a workdir that is scored and drawn like any other."""

import json
from collections import OrderedDict

import flax.traverse_util
import jax
import numpy as np
import pytest
from PIL import Image

from experiments import build
from objectcentric_jax.checkpoint_import import space
from objectcentric_jax.checkpoint_import.torch_file import read, state_dict
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.space.space import make_task
from objectcentric_jax.training.checkpoints import read_config
from objectcentric_jax.training.devices import Devices
from tests.checkpoint_import import torch_writer
from tests.conftest import finish, run, start
from tests.golden import case as golden
from tests.golden.elbo_training import KEY

CASE = golden.PUBLIC / "space" / "room_small_eval"
STEP = 160_000


@pytest.fixture(scope="module")
def case():
  return golden.load(CASE)


@pytest.fixture(scope="module")
def file(case, tmp_path_factory):
  """What the published training saves, by the name under which it was released."""
  path = tmp_path_factory.mktemp("released") / "3d_room_small.pth"
  moments = {"state": {0: {"step": 3, "square_avg": np.zeros(2, np.float32)}}, "param_groups": []}
  torch_writer.save_zip(
    path,
    {
      "model": OrderedDict(case[0]["state_dict"]),
      "optimizer_fg": moments,
      "optimizer_bg": moments,
      "epoch": 30,
      "global_step": STEP,
    },
  )
  return path


def test_step_and_weights_of_the_wrapper(case, file):
  checkpoint = read(file)
  assert space.steps_done(checkpoint) == STEP + 1 and space.steps_done({}) == 0
  weights, expected = state_dict(checkpoint, file), case[0]["state_dict"]
  assert list(weights) == list(expected)
  for name, value in expected.items():
    np.testing.assert_array_equal(weights[name], value)


def test_another_grid_is_named(case):
  model = space.model_config(case[0]["config"]["arch"]) | {"grid": 16}
  shapes = jax.eval_shape(
    make_task(model).init, KEY, {"image": jax.ShapeDtypeStruct((1, 128, 128, 3), np.float32)}
  )
  with pytest.raises(InputError, match="file.pth has a grid of 8: config.model.grid is 16"):
    space.import_parameters(case[0]["state_dict"], model, shapes[0], "file.pth")


def test_unknown_names_need_a_config(tmp_path):
  arguments = ("experiments.import_checkpoint", "space", tmp_path / "other.pth", tmp_path / "run")
  status, _, errors = finish(start(*arguments))
  assert status == 1 and errors.count("\n") == 1
  assert "other.pth: give --config" in errors and "atari_joint" in errors


@pytest.fixture(scope="module")
def imported(file, tmp_path_factory):
  """The workdir, made without saying which config."""
  workdir = tmp_path_factory.mktemp("imported") / "run"
  given = ("--config.data.name=generated", "--config.eval.images=4", "--config.eval.batch_size=4")
  out = run("experiments.import_checkpoint", "space", file, workdir, *given)
  assert out.splitlines()[0] == "config: configs/space/obj3d_small.py"
  assert out.splitlines()[-1].endswith(f"step {STEP + 1}")
  return workdir


@pytest.mark.slow
def test_the_imported_model_computes_the_published_numbers(imported, case):
  case, arrays = case
  restored = build.Restored(imported, Devices())
  assert restored.step == STEP + 1 and read_config(imported)["model"]["grid"] == 8
  flat = flax.traverse_util.flatten_dict(restored.params, sep="/")
  assert sum(array.size for array in flat.values()) == 5_307_651
  image = golden.images(arrays["inputs/image"])
  model = restored.params, restored.model_state
  explain = jax.jit(lambda p, s, x: restored.task.posterior(p, s, x, KEY, False))
  posterior = jax.device_get(explain(*model, image))
  for name, found in {
    "z_pres_prob": posterior.foreground.probability,
    "z_where": posterior.foreground.boxes,
    "bg": golden.nchw(posterior.background.image),
  }.items():
    about = case["outputs"][name]
    error = golden.relative_error(golden.stored_part(found, about), arrays[f"outputs/{name}"])
    assert error < 1e-3, name


@pytest.mark.slow
def test_evaluate_and_visualise_take_the_workdir(imported, tmp_path):
  text = run("experiments.evaluate", "--workdir", imported)
  result = json.loads((imported / "evaluation-test.json").read_text())
  scores = result["scores"]
  assert (result["step"], result["images"]) == (STEP + 1, 4)
  assert {"ap", "ap_50", "ap_95", "count_accuracy", "count_error", "perfect"} <= set(scores)
  assert np.isfinite(list(scores.values())).all() and "count_accuracy" in text
  assert scores["perfect"] + scores["overcount"] + scores["undercount"] == 4
  for what in ("demo", "boxes"):
    arguments = ("--workdir", imported, "--what", what, "--images", 2, "--out", tmp_path)
    out = run("experiments.visualise", *arguments)
    assert out.startswith(f"picture: {tmp_path / what}.png")
    with Image.open(tmp_path / f"{what}.png") as picture:
      pixels = np.asarray(picture)
    assert pixels.std() > 5 and pixels.shape[1] > 2 * 128, what
