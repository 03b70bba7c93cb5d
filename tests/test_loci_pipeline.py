"""The stages of Loci-Segmented fit together, and the command says what is wrong."""

import importlib

import flax.traverse_util
import jax
import pytest

from experiments import build, loci_stages
from objectcentric_jax.errors import InputError
from objectcentric_jax.training.devices import without_carry


def shapes_of(stage, family):
  """Path -> shape of everything that a stage stores."""
  module = importlib.import_module(f"configs.loci.{loci_stages.STAGES[stage].configs[family]}")
  config = module.get_config("smoke")
  config.data.batch_size = 1
  task = build.make_task(config)
  params, model_state = jax.eval_shape(task.init, jax.random.key(0), build.example_batch(config))
  model = {"params": params, "model_state": without_carry(model_state)}
  flat = flax.traverse_util.flatten_dict(model, sep="/")
  return {path: leaf.shape for path, leaf in flat.items()}


@pytest.mark.parametrize("stage", ["stage1", "stage2", "loci"])
def test_every_part_is_where_the_stage_before_has_it(stage):
  ours = shapes_of(stage, "generated")
  for before, parts in loci_stages.STAGES[stage].parts.items():
    theirs = shapes_of(before, "generated")
    for here, there in parts.items():
      wanted = {p.removeprefix(here): s for p, s in ours.items() if p.startswith(here)}
      offered = {p.removeprefix(there): s for p, s in theirs.items() if p.startswith(there)}
      assert wanted and wanted == offered, (before, here)


@pytest.mark.parametrize("family", loci_stages.FAMILIES)
def test_configs_of_all_stages_exist(family):
  for stage in loci_stages.STAGES:
    assert importlib.util.find_spec(f"configs.loci.{loci_stages.STAGES[stage].configs[family]}")


def stage_config(name, folder, given=(), changes=()):
  return loci_stages.stage_config(name, folder, "generated", dict(given), changes, smoke=True)


def test_a_stage_says_what_it_lacks(tmp_path):
  with pytest.raises(InputError, match="stage1 starts from mask, which has no run in"):
    stage_config("stage1", tmp_path, {}, [])


def test_a_stage_starts_from_runs_here_and_elsewhere(tmp_path):
  for folder in ("mask", "rgb", "elsewhere"):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "config.json").write_text("{}")
  given = {"depth": str(tmp_path / "elsewhere")}
  config = stage_config("stage1", tmp_path, given, [("stage1.train.steps", "7")])
  assert config.train.steps == 7
  assert [source["workdir"] for source in config.train.start_from] == [
    str(tmp_path / "mask"),
    str(tmp_path / "elsewhere"),
    str(tmp_path / "rgb"),
  ]
  assert config.train.start_from[1]["parts"] == {"params/decoder/depth/": "params/decoder/"}


def test_fields_of_other_stages_stay_and_wrong_ones_are_named(tmp_path):
  config = stage_config("mask", tmp_path, {}, [("depth.train.steps", "7")])
  assert config.train.steps == 2
  with pytest.raises(InputError, match="--set train.step=7"):
    stage_config("mask", tmp_path, {}, [("mask.train.step", "7")])


def test_an_unfinished_stage_is_not_left_out(tmp_path):
  config = stage_config("mask", tmp_path, {}, [])
  assert not loci_stages.is_finished(tmp_path / "mask", config)
