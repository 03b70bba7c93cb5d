"""Turns a published PyTorch checkpoint into a workdir, without PyTorch.

python -m experiments.import_checkpoint MODEL FILE.pth DIR [--config configs/MODEL/DATASET.py]

MODEL is a module of objectcentric_jax/checkpoint_import, such as genesis_v2. The config must
describe the network in the file; without --config it is chosen by the file's name, where that is
one of a published checkpoint. Evaluate and visualise take the resulting DIR. Where the published
code does otherwise than our defaults, the config of DIR does so too, unless it says the opposite.
Where a model is published as a folder of files, give the folder.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

import jax
from absl import flags
from ml_collections import config_flags

from configs import published
from experiments import build, command
from objectcentric_jax import checkpoint_import
from objectcentric_jax.checkpoint_import import torch_file
from objectcentric_jax.errors import InputError, closest
from objectcentric_jax.training.checkpoints import Checkpoints, write_config
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.state import state_from

FLAGS = flags.FLAGS
CONFIG = command.define_config(required=False)


def importers() -> list[str]:
  """Models that published checkpoints can be read for."""
  modules = [m.name for m in pkgutil.iter_modules(checkpoint_import.__path__)]
  offered = []
  for name in modules:
    if hasattr(importlib.import_module(f"{checkpoint_import.__name__}.{name}"), "MODULE"):
      offered.append(name)
  return offered


def with_config(arguments: Sequence[str]) -> list[str]:
  """The arguments and, where they name no config, the one that the file's name says.

  Raises:
    InputError: the name says nothing.
  """
  positional = [argument for argument in arguments if not argument.startswith("-")]
  given = any(argument.split("=")[0].lstrip("-") == "config" for argument in arguments)
  if given or len(positional) < 2 or positional[0] not in importers():
    return list(arguments)
  model, source = positional[:2]
  chosen = published.config_of(model, source)
  if chosen is None:
    names = ", ".join(published.CHECKPOINTS.get(model, ())) or "none"
    raise InputError(
      f"{source}: give --config, for its name says nothing of it (known of {model}: {names})"
    )
  print(f"config: {chosen}")
  return [f"--config={chosen}", *arguments]


def behave_as_published(config, importer, state_dict, source) -> list[str]:
  """Sets the fields of the model that its importer knows of; those that flags set stay.

  They are the same for every checkpoint (`PUBLISHED`), or this one says them (`fields_of`).
  """
  given = config_flags.get_override_values(FLAGS["config"])
  fields = dict(getattr(importer, "PUBLISHED", {}))
  if hasattr(importer, "fields_of"):
    fields |= importer.fields_of(state_dict, source)
  changes = {name: value for name, value in fields.items() if f"model.{name}" not in given}
  for name, value in changes.items():
    config.model[name] = value
  return [f"config.model.{name} is {value}" for name, value in changes.items()]


def main(arguments):
  if len(arguments) != 3:
    raise InputError(f"give MODEL FILE.pth DIR; found {len(arguments)} arguments: {arguments}")
  model, source, workdir = arguments[0], arguments[1], Path(arguments[2])
  if model not in importers():
    known = ", ".join(importers())
    raise InputError(f"no importer for {model!r}{closest(model, importers())}; there are: {known}")
  importer = importlib.import_module(f"{checkpoint_import.__name__}.{model}")
  config = CONFIG.value
  if config is None:
    raise InputError("--config is missing: give configs/MODEL/DATASET.py")
  modules = (importer.MODULE,) if isinstance(importer.MODULE, str) else importer.MODULE
  if config.task not in modules:
    known = " and ".join(modules)
    raise InputError(f"--config is of {config.task}, the importer {model} is of {known}")
  if (workdir / "config.json").exists():
    raise InputError(f"{workdir} already holds a run; choose another folder")
  checkpoint = getattr(importer, "read", torch_file.read)(source)
  state_dict = torch_file.state_dict(checkpoint, source)
  if hasattr(importer, "sizes"):
    config.model.update(importer.sizes(state_dict, config.model))
  as_published = behave_as_published(config, importer, state_dict, source)
  wrapper = checkpoint if any(key in checkpoint for key in torch_file.STATE_DICTS) else {}

  task, devices = build.make_task(config), Devices()
  batch = build.example_batch(config)
  shapes = jax.eval_shape(task.init, jax.random.key(config.seed), batch)
  params = importer.import_parameters(state_dict, config.model, shapes[0], source)
  model_state = importer.import_model_state(state_dict, wrapper, config.model, shapes[1], source)
  steps_done = getattr(importer, "steps_done", None)
  step = steps_done(wrapper) if wrapper and steps_done else 0
  updates = make_updates(config.train.updates, list(task.losses))
  key = jax.random.key(config.seed)
  state = devices.place(
    lambda params, model_state: state_from(params, model_state, updates, key, step),
    params,
    model_state,
  )
  resolved = config.to_dict()
  write_config(workdir, resolved)
  checkpoints = Checkpoints(workdir, resolved, config.eval.best)
  checkpoints.save(state, iterator=None)
  checkpoints.close()
  count = sum(x.size for x in jax.tree.leaves(params))
  for line in as_published:
    print(f"as published, {line}")
  print(f"{workdir}: {len(state_dict)} tensors, {count:,} parameters, step {step}")


if __name__ == "__main__":
  command.run(main, __doc__, with_config)
