"""The stages of Loci-Segmented: their configs, and which parts each takes from which."""

import ast
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from objectcentric_jax.errors import InputError
from objectcentric_jax.training.checkpoints import read_config

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


def stage_config(
  name: str,
  folder: Path,
  family: str,
  given: Mapping[str, str],
  changes: Sequence[tuple[str, str]],
  smoke: bool = False,
  best: bool = False,
):
  """The config of a stage, with where it starts from and with the changes asked for.

  Args:
    name: of the stage.
    folder: holds the runs of all stages, each in a folder of the stage's name.
    family: of FAMILIES.
    given: stage -> folder of a run that stands for it.
    changes: (STAGE.FIELD, value as text); those of other stages are left out.
    smoke: two steps on made-up scenes.
    best: start from the best checkpoints instead of the last ones.

  Raises:
    InputError: a stage that it starts from has not been run, or a field does not exist.
  """
  stage = STAGES[name]
  module = importlib.import_module(f"configs.loci.{stage.configs[family]}")
  config = module.get_config("smoke" if smoke else "")
  sources = []
  for before, parts in stage.parts.items():
    workdir = Path(given.get(before, folder / before))
    if not (workdir / "config.json").exists():
      raise InputError(
        f"{name} starts from {before}, which has no run in {workdir}: run it first, or say where "
        f"it is by --given {before}=DIR"
      )
    sources.append(dict(workdir=str(workdir), best=best, parts=dict(parts)))
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


def pair(flag: str, text: str) -> tuple[str, str]:
  """The two sides of NAME=VALUE, which a flag was given."""
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
