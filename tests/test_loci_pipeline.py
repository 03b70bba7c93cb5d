"""The stages of Loci-Segmented fit together, and the command says what is wrong."""

import importlib

import flax.traverse_util
import jax
import pytest
from absl import flags

from experiments import build, loci
from objectcentric_jax.errors import InputError

FAMILIES = ("movi", "movi_depth", "generated")


def shapes_of(stage, family):
  """Path -> shape of everything that a stage stores."""
  module = importlib.import_module(f"configs.loci.{loci.STAGES[stage].configs[family]}")
  config = module.get_config("smoke")
  config.data.batch_size = 1
  task = build.make_task(config)
  params, model_state = jax.eval_shape(task.init, jax.random.key(0), build.example_batch(config))
  flat = flax.traverse_util.flatten_dict({"params": params, "model_state": model_state}, sep="/")
  return {path: leaf.shape for path, leaf in flat.items()}


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_every_part_is_where_the_stage_before_has_it(stage):
  ours = shapes_of(stage, "generated")
  for before, parts in loci.STAGES[stage].parts.items():
    theirs = shapes_of(before, "generated")
    for here, there in parts.items():
      wanted = {p.removeprefix(here): s for p, s in ours.items() if p.startswith(here)}
      offered = {p.removeprefix(there): s for p, s in theirs.items() if p.startswith(there)}
      assert wanted and wanted == offered, (before, here)


@pytest.mark.parametrize("family", FAMILIES)
def test_configs_of_first_stages_exist(family):
  for stage in ("mask", "depth", "rgb", "stage1", "stage2", "background"):
    assert importlib.util.find_spec(f"configs.loci.{loci.STAGES[stage].configs[family]}")


@pytest.fixture
def settings(tmp_path):
  if not flags.FLAGS.is_parsed():
    flags.FLAGS(["test", f"--workdir={tmp_path}"])
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(flags.FLAGS["family"], "value", "generated")
    patch.setattr(flags.FLAGS["smoke"], "value", True)
    yield tmp_path


def test_a_stage_says_what_it_lacks(settings):
  with pytest.raises(InputError, match="stage1 starts from mask, which has no run in"):
    loci.stage_config("stage1", settings, {}, [])


def test_a_stage_starts_from_runs_here_and_elsewhere(settings):
  for folder in ("mask", "rgb", "elsewhere"):
    (settings / folder).mkdir()
    (settings / folder / "config.json").write_text("{}")
  given = {"depth": str(settings / "elsewhere")}
  config = loci.stage_config("stage1", settings, given, [("stage1.train.steps", "7")])
  assert config.train.steps == 7
  assert [source["workdir"] for source in config.train.start_from] == [
    str(settings / "mask"),
    str(settings / "elsewhere"),
    str(settings / "rgb"),
  ]
  assert config.train.start_from[1]["parts"] == {"params/decoder/depth/": "params/decoder/"}


def test_fields_of_other_stages_stay_and_wrong_ones_are_named(settings):
  config = loci.stage_config("mask", settings, {}, [("depth.train.steps", "7")])
  assert config.train.steps == 2
  with pytest.raises(InputError, match="--set train.step=7"):
    loci.stage_config("mask", settings, {}, [("mask.train.step", "7")])


def test_an_unfinished_stage_is_not_left_out(settings):
  config = loci.stage_config("mask", settings, {}, [])
  assert not loci.is_finished(settings / "mask", config)
