"""Objects from few views, by every model: the table, what may be asked for, and the command."""

import json

import pytest

from tests.conftest import finish, functions_of, run, start

oneshot = functions_of("oneshot")


def row(model, name, seed, value):
  return {
    "model": model,
    "object": name,
    "seed": seed,
    "scores": dict.fromkeys(oneshot.SHOWN, value),
  }


def test_the_table_has_means_over_objects_and_their_deviation_over_seeds():
  rows = [row("unet", "cup", 0, 0.2), row("unet", "dog", 0, 0.4), row("unet", "cup", 1, 0.5)]
  rows += [row("unet", "dog", 1, 0.5), row("latent", "cup", 0, 1.0)]
  lines = oneshot.table(rows, "about").splitlines()
  assert lines[0] == "about" and lines[1].split() == list(oneshot.SHOWN)
  assert lines[2].split()[:4] == ["unet", "0.400", "+-", "0.100"]
  assert lines[3].split()[:4] == ["latent", "1.000", "+-", "0.000"]


CONFIG = "--config=configs/object_pursuit/oneshot_generated.py:smoke"


@pytest.mark.parametrize(
  ("models", "message"),
  [
    ("coefficients", "--models coefficients starts from a pretraining: give its workdir"),
    ("unett", "no model 'unett' (did you mean unet?)"),
  ],
)
def test_models_that_cannot_be_run_are_one_line_errors(tmp_path, models, message):
  status, _, errors = finish(
    start("experiments.oneshot", CONFIG, "--workdir", tmp_path / "x", "--models", models)
  )
  assert status == 1 and message in errors and len(errors.splitlines()) == 1


@pytest.mark.slow
def test_the_command_runs_every_model_and_leaves_out_what_is_finished(tmp_path):
  joint = "configs/object_pursuit/joint_generated.py:smoke"
  run("experiments.train", "--config", joint, "--workdir", tmp_path / "joint")
  flags = (CONFIG, "--workdir", tmp_path / "shot", "--source", tmp_path / "joint")
  run("experiments.oneshot", *flags)
  result = json.loads((tmp_path / "shot" / "oneshot.json").read_text())
  assert {row["model"] for row in result["rows"]} == set(oneshot.METHODS)
  assert {row["object"] for row in result["rows"]} == {"object 0", "object 1"}
  again = run("experiments.oneshot", *flags)
  assert "step 1/" not in again
  assert json.loads((tmp_path / "shot" / "oneshot.json").read_text()) == result
