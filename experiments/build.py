"""From a config to the objects of a run: task, data, devices, evaluator."""

import importlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np

from configs import sections
from experiments.scores import fitting_metrics, of_prepared, prepared
from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import InputError
from objectcentric_jax.evaluation import Evaluator
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.input.chunks import chunk
from objectcentric_jax.input.examples import open_split
from objectcentric_jax.input.generated import FIELDS, GENERATED, made_up
from objectcentric_jax.input.objects import OBJECT, open_by_object
from objectcentric_jax.input.pipeline import describe, evaluation_batches
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.checkpoints import read_config, restore_model
from objectcentric_jax.training.devices import AXIS, Devices, without_carry
from objectcentric_jax.training.diagnostics import score_warnings
from objectcentric_jax.training.task import Task


def make_task(config: Mapping[str, Any]) -> Task:
  """The task of the module that `config.task` names.

  Raises:
    InputError: there is no such module, or it offers no `make_task`.
  """
  try:
    module = importlib.import_module(config["task"])
  except ImportError as error:
    raise InputError(f"config.task {config['task']!r} cannot be imported: {error}") from None
  if not hasattr(module, "make_task"):
    raise InputError(f"config.task {config['task']!r} offers no make_task(config, axis_name)")
  axis_name = AXIS if config["train"]["parallel"] == "pmap" else None
  return module.make_task(config["model"], axis_name)


def prepare_data(config: Mapping[str, Any]):
  """Generates the dataset of the config where it can be and is not there yet.

  Every process asks for it: one makes it and the others on its machine wait.
  """
  from data import prepare  # TFDS is slow to import

  data = config["data"]
  mixed = [described["name"] for described in data["mixture"]]
  names = mixed if mixed and data["name"] != GENERATED else data["name"].split("+")
  for name in names:
    if name != GENERATED and prepare.can_generate(name):
      prepare.prepare(name, data["directory"] or None)


def check_slots(config: Mapping[str, Any], examples: Examples):
  """Warns when scenes can hold more objects than the model has slots for."""
  slots = config["model"].get("slots")
  objects = examples.about.get("max_objects")
  if slots is not None and objects is not None and objects + 1 > slots:
    print(
      f"warning: config.model.slots is {slots}, but scenes of {examples.about['name']} hold up to "
      f"{objects} objects and a background; {objects + 1} slots could separate them",
      flush=True,
    )


def make_evaluator(config: Mapping[str, Any], task: Task, examples: Examples, devices: Devices):
  """The evaluator for splits of the dataset that `examples` are from."""
  settings = config["eval"]
  devices.check_batch("config.eval.batch_size", settings["batch_size"])
  batch = jax.eval_shape(as_float, examples.read(np.zeros(1, int)))
  scene_of = partial(_scene_shapes, config, task, batch)
  metrics = fitting_metrics(scene_of, batch, examples.about, settings)
  metrics += getattr(task, "metrics", ())
  prepare = prepared(settings)
  metrics = [of_prepared(metric, prepare) for metric in metrics]
  return Evaluator(task, metrics, devices, settings["seed"], settings["sample"])


def _scene_shapes(config: Mapping[str, Any], task: Task, batch: Mapping[str, Any]) -> Scene:
  """Shapes of what the model says about a batch of examples."""
  key = jax.eval_shape(jax.random.key, 0)

  def scene(key, example, batch):
    params, model_state = task.init(key, example)
    return task.scene(params, without_carry(model_state), batch, key, config["eval"]["sample"])

  return jax.eval_shape(scene, key, example_batch(config), batch)


def score(
  evaluator: Evaluator, config: Mapping[str, Any], examples: Examples, params, model_state
) -> dict[str, float]:
  """Mean scores over the first `config.eval.images` examples."""
  settings = config["eval"]
  process, processes = jax.process_index(), jax.process_count()
  size, count = settings["batch_size"], settings["images"]
  batches = evaluation_batches(examples, size, count, process, processes)
  return evaluator(params, model_state, batches)


def made_up_batch(config: Mapping[str, Any], scenes: int = 1) -> dict[str, np.ndarray]:
  """A training batch of so many made-up scenes, again and again, with the fields that they have."""
  data = dict(config["data"])
  made = {name for name in data["fields"] if name.removesuffix("?") in FIELDS}
  data["fields"] = tuple(name for name in data["fields"] if name in made)
  batch = made_up(data, "example", scenes).read(np.arange(data["batch_size"]) % scenes)
  if data["by_object"]["use"]:
    batch[OBJECT] = np.zeros(data["batch_size"], np.int32)
  return chunk(batch, 0, data["chunk"]) if data["chunk"] else batch


def example_batch(config: Mapping[str, Any]) -> dict[str, jax.ShapeDtypeStruct]:
  """Shapes of a training batch as the model gets it, with the fields that made-up scenes have."""
  return jax.eval_shape(as_float, made_up_batch(config))


def stored_config(workdir: Path) -> ml_collections.ConfigDict:
  """The config of a run; what later versions added to the shared sections has its default."""
  config, base = read_config(workdir), sections.base().to_dict()
  for name in ("data", "train", "eval"):
    config[name] = base[name] | config[name]
  return ml_collections.ConfigDict(config)


class Restored:
  """A trained or imported model of a workdir, ready for use; what it carried is left behind.

  Attributes:
    config: as the run was started, with overrides.
    task, params, model_state: the model.
    step: how long it was trained.
  """

  def __init__(self, workdir: Path, devices: Devices, best: bool = False, overrides=None):
    self.config = stored_config(workdir)
    for name, value in (overrides or {}).items():
      self.config.update_from_flattened_dict({name: value})
    self.task = make_task(self.config)
    batch = example_batch(self.config)
    params, model_state = jax.eval_shape(self.task.init, jax.random.key(0), batch)
    like = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=devices.replicated),
      {"params": params, "model_state": without_carry(model_state)},
    )
    restored, self.step = restore_model(workdir, like, best)
    self.params, self.model_state = restored["params"], restored["model_state"]


def open_examples(config: Mapping[str, Any], split: str, training: bool = False) -> Examples:
  """Opens a split of the config's dataset; for training, random steps of its preprocessing draw."""
  if config["data"]["by_object"]["use"]:
    return open_by_object(config["data"], split, training)
  return open_split(config["data"], split, training)


def results(
  config: Mapping[str, Any],
  examples: Examples,
  scores: Mapping[str, float],
  step: int,
  checkpoint: str,
) -> dict[str, Any]:
  """Scores with everything that must be known to compare them."""
  settings = config["eval"]
  return {
    "scores": dict(scores),
    "images": settings["images"] or len(examples),
    "dataset": describe(examples),
    "seed": settings["seed"],
    "latents": "sampled" if settings["sample"] else "means",
    "training_seed": config["seed"],
    "step": step,
    "checkpoint": checkpoint,
  }


def table(result: Mapping[str, Any]) -> str:
  """Results as text: where they are from, a line a score, and what they warn of."""
  about = result["dataset"]
  chosen = f", objects {about['objects']}" if "objects" in about else ""
  head = (
    f"{about['name']} {about['split']}{chosen}, "
    f"first {result['images']} of {about['count']} images, "
    f"background labels {list(about.get('background_ids', []))}, seed {result['seed']}, "
    f"latents {result['latents']}; step {result['step']} ({result['checkpoint']} checkpoint)"
  )
  width = max(len(name) for name in result["scores"])
  rows = [f"  {name:<{width}}  {value:.4f}" for name, value in result["scores"].items()]
  warnings = [f"warning: {warning}" for warning in score_warnings(result["scores"]).values()]
  return "\n".join([head, *rows, *warnings])
