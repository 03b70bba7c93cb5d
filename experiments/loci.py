"""Trains Loci-Segmented from nothing: all of its stages in order, or some of them.

python -m experiments.loci --family movi|movi_depth|generated --workdir DIR
    [--stages mask,depth,...] [--given STAGE=DIR] [--set STAGE.FIELD=VALUE] [--best] [--smoke]

Every stage is a training of its own in DIR/STAGE, by the config of its family, and takes what the
stages before it learned: the decoders (mask, depth, rgb) go into encoder and decoders together
(stage1), these get their hyper-networks (stage2), and both they and the background go into Loci
itself (loci). The proposal network stands alone; only the mode "segmentation" uses it.

Started again with the same folder it goes on where it stopped, within a stage too; a finished stage
is left as it is. A stage that is not run here can be given from elsewhere, such as an imported
checkpoint: --given stage2=runs/imported.
"""

import ast
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from experiments import command, run
from objectcentric_jax.errors import InputError, closest
from objectcentric_jax.training.checkpoints import read_config

FLAGS = flags.FLAGS
SAME = {"params/": "params/"}


class Stage(NamedTuple):
  """One training.

  Attributes:
    configs: family -> module of configs/loci.
    parts: stage before it -> which of our parts are which of its, see
      `objectcentric_jax.training.phases`.
  """

  configs: Mapping[str, str]
  parts: Mapping[str, Mapping[str, str]]


def _decoder(part: str) -> Stage:
  name = f"{part}_decoder"
  configs = dict(movi=name, movi_depth=name, generated=f"generated_{name}")
  return Stage(configs, {})


def _stage(name: str, parts: Mapping[str, Mapping[str, str]]) -> Stage:
  configs = dict(movi=name, movi_depth=f"{name}_depth", generated=f"generated_{name}")
  return Stage(configs, parts)


STAGES: Mapping[str, Stage] = {
  "mask": _decoder("mask"),
  "depth": _decoder("depth"),
  "rgb": _decoder("rgb"),
  "stage1": _stage(
    "stage1",
    {part: {f"params/decoder/{part}/": "params/decoder/"} for part in ("mask", "depth", "rgb")},
  ),
  "stage2": _stage("stage2", {"stage1": SAME}),
  "background": _stage("background", {}),
  "proposal": _stage("proposal", {}),
  "loci": _stage(
    "loci",
    {
      "stage2": {
        "params/encoder/": "params/encoder/",
        "params/decoder/": "params/decoder/",
        "params/discovery/depth": "params/initial_depth",
        "params/discovery/size": "params/initial_deviation",
      },
      "background": {"params/background/": "params/"},
    },
  ),
}
FAMILIES = ("movi", "movi_depth", "generated")

flags.DEFINE_enum("family", "generated", FAMILIES, "which configs")
flags.DEFINE_string("workdir", None, "folder of the stages", required=True)
flags.DEFINE_list("stages", list(STAGES), "what to run, in this order")
flags.DEFINE_multi_string("given", [], "STAGE=DIR: a run elsewhere that stands for a stage")
flags.DEFINE_multi_string("set", [], "STAGE.FIELD=VALUE: a field of a stage's config")
flags.DEFINE_bool("best", False, "start from the best checkpoints instead of the last ones")
flags.DEFINE_bool("smoke", False, "two steps of each stage on made-up scenes")


def main(_):
  folder = Path(FLAGS.workdir)
  given = dict(_pair("--given", text) for text in FLAGS.given)
  changes = [_pair("--set", text) for text in FLAGS.set]
  for name in (*FLAGS.stages, *given, *(field.split(".")[0] for field, _ in changes)):
    if name not in STAGES:
      raise InputError(f"no stage {name!r}{closest(name, STAGES)}; there are: {', '.join(STAGES)}")
  for name in FLAGS.stages:
    if name in given:
      raise InputError(
        f"--given {name}={given[name]} stands for a stage that --stages runs as well"
      )
  for name in FLAGS.stages:
    config = stage_config(name, folder, given, changes)
    workdir = folder / name
    if is_finished(workdir, config):
      print(f"{name}: finished, in {workdir}")
      continue
    print(f"{name}: {config.train.steps:,} steps, in {workdir}", flush=True)
    run.train(config, workdir)


def stage_config(name: str, folder: Path, given: Mapping[str, str], changes: list[tuple[str, str]]):
  """The config of a stage, with where it starts from and with the changes asked for.

  Raises:
    InputError: a stage that it starts from has not been run, or a field does not exist.
  """
  stage = STAGES[name]
  module = importlib.import_module(f"configs.loci.{stage.configs[FLAGS.family]}")
  config = module.get_config("smoke" if FLAGS.smoke else "")
  sources = []
  for before, parts in stage.parts.items():
    workdir = Path(given.get(before, folder / before))
    if not (workdir / "config.json").exists():
      raise InputError(
        f"{name} starts from {before}, which has no run in {workdir}: run it first, or say where "
        f"it is by --given {before}=DIR"
      )
    sources.append(dict(workdir=str(workdir), best=FLAGS.best, parts=dict(parts)))
  config.train.start_from = tuple(sources)
  config.lock()
  for field, value in changes:
    owner, _, path = field.partition(".")
    if owner == name:
      _set(config, path, value)
  return config


def _set(config, path: str, text: str):
  try:
    value: Any = ast.literal_eval(text)
  except (ValueError, SyntaxError):
    value = text
  try:
    config.update_from_flattened_dict({path: value})
  except (KeyError, AttributeError, TypeError) as error:
    raise InputError(f"--set {path}={text}: {str(error).splitlines()[0]}") from None


def _pair(flag: str, text: str) -> tuple[str, str]:
  name, equals, value = text.partition("=")
  if not (name and equals and value):
    raise InputError(f"{flag} {text}: NAME=VALUE is needed")
  return name, value


def is_finished(workdir: Path, config) -> bool:
  """Whether a run by this very config has done all its steps and been scored."""
  scored = workdir / f"evaluation-{config.eval.test_split}.json"
  if not scored.exists() or read_config(workdir) != json.loads(json.dumps(config.to_dict())):
    return False
  return json.loads(scored.read_text())["step"] >= config.train.steps


if __name__ == "__main__":
  command.run(main, __doc__)
