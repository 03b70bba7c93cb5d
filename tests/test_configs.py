"""Every config trains two steps on made-up scenes and says how it is run."""

import importlib
import json
import pathlib
import re

import pytest

from configs import sections, variants
from tests.conftest import ROOT, finish, run, start

SHARED = {"__init__", "_base", "sections", "variants"}
CONFIGS = sorted(
  path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.py") if path.stem not in SHARED
)
every_config = pytest.mark.parametrize("path", CONFIGS, ids=str)


def load(path):
  return importlib.import_module(".".join(path.with_suffix("").parts))


def test_all_configs_are_found():
  assert pathlib.Path("configs/quickstart.py") in CONFIGS
  assert pathlib.Path("configs/genesis_v2/multi_dsprites.py") in CONFIGS


@every_config
def test_header_holds_the_commands(path):
  """How to train it, in a line that can be pasted."""
  header = load(path).__doc__
  assert re.search(rf"^python -m experiments\.train --config {path} --workdir \S+$", header, re.M)
  first = header.splitlines()[0]
  assert first.endswith(".") and len(first) > 20


@every_config
def test_has_the_sections_of_the_package(path):
  config, base = load(path).get_config(), sections.base()
  assert set(config) == set(base)
  for section in ("data", "train", "eval"):
    assert set(config[section]) == set(base[section]), section
  assert importlib.util.find_spec(config.task)
  assert config.model.side == config.data.side
  config.data.side = 2 * config.data.side
  assert config.model.side == config.data.side  # one setting, not two
  assert config.eval.best.lstrip("-") and config.data.name and config.train.updates
  json.dumps(config.to_dict())  # is stored in the workdir


@every_config
def test_fields_and_types_are_locked(path):
  config = load(path).get_config().lock()
  with pytest.raises(AttributeError):
    config.train.step = 3
  with pytest.raises(TypeError):
    config.train.steps = "many"
  with pytest.raises(TypeError):
    config.data.side = 64.5


@every_config
def test_smoke_changes_how_much_and_not_what(path):
  config, smoke = load(path).get_config(), load(path).get_config("smoke")
  assert smoke.model.to_dict() == config.model.to_dict()
  assert smoke.train.updates == config.train.updates
  assert (smoke.train.steps, smoke.data.name) == (2, "generated")


@every_config
def test_trains_two_steps_and_is_scored(path, tmp_path):
  workdir = tmp_path / "run"
  run("experiments.train", "--config", f"{path}:smoke", "--workdir", workdir)
  reports = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
  assert {report["step"] for report in reports} == {1, 2}
  result = json.loads((workdir / "evaluation-test.json").read_text())
  assert result["step"] == 2 and result["images"] == 8
  config = load(path).get_config("smoke")
  assert config.eval.best.lstrip("-") in result["scores"]
  assert set(config.eval.headline) <= set(result["scores"])
  assert set(config.train.headline) <= set().union(*reports)
  assert (workdir / "images" / "reconstruction.png").stat().st_size > 0


@every_config
def test_unknown_variants_are_named(path):
  with pytest.raises(ValueError, match="unknown variant 'smok'; there are: smoke"):
    load(path).get_config("smok")


def test_unknown_variants_and_fields_are_one_line_errors(tmp_path):
  config = "configs/genesis_v2/multi_dsprites.py"
  for arguments, message in (
    ([f"--config={config}:smok"], "unknown variant 'smok'; there are: smoke"),
    ([f"--config={config}", "--config.model.slot=3"], "slot"),
    ([f"--config={config}", "--config.model.slots=some"], "slots"),
  ):
    arguments = ("experiments.train", "--workdir", tmp_path / "x", *arguments)
    status, _, errors = finish(start(*arguments))
    assert status == 1 and errors.startswith("error: ") and message in errors, errors
    assert len(errors.splitlines()) == 1
  assert not (tmp_path / "x").exists()


def test_variants_of_a_config_are_offered_beside_smoke():
  def laptop(config):
    config.train.steps = 7

  assert variants.apply(sections.base(), "laptop", laptop=laptop).train.steps == 7
  with pytest.raises(ValueError, match="there are: smoke, laptop"):
    variants.apply(sections.base(), "huge", laptop=laptop)
