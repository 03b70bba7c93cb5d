"""Objects that were not trained with, from one or a few views, by every model: a table of scores.

python -m experiments.oneshot --config configs/object_pursuit/oneshot_DATA.py --workdir DIR
    [--source RUN] [--models MODEL,...] [--seeds 0,1,2] [--shots 1] [--config.field=value ...]

RUN is the workdir of a joint pretraining, a pursuit or an import. Models that start from it:

  coefficients  one number for each of its bases; all else is fixed
  latent        a latent of one's own; all else is fixed
  fixed_deeplab one network of its own for the object, behind the fixed backbone

and models that start from nothing, all of which is learned:

  scratch       a latent, the hypernetwork and the backbone
  deeplab       one network of its own for the object
  unet          likewise

The seed decides which views are trained with (0: the first ones) and how learning starts. Starting
again with the same workdir leaves out what is finished.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from absl import flags

from configs.object_pursuit._base import update, update_all
from experiments import build, command
from experiments.pursuit_start import latents_of, model_of, nothing_known, part_of
from objectcentric_jax.errors import InputError, closest
from objectcentric_jax.input.arrays import GroupedExamples
from objectcentric_jax.input.objects import by_object, joined_views
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.models.object_pursuit.memory import (
  add_base,
  empty_memory,
  initial_coefficients,
)
from objectcentric_jax.training.checkpoints import BEST, LAST
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.loop import compile_train_step, fit
from objectcentric_jax.training.optimizers import FROZEN, make_updates
from objectcentric_jax.training.state import TrainState, state_from

FLAGS = flags.FLAGS
CONFIG = command.define_config()
flags.DEFINE_string("workdir", None, "folder of the table and its trainings", required=True)
flags.DEFINE_string("source", None, "workdir of a pretraining, a pursuit or an import")
flags.DEFINE_list("models", None, "which models; all that are possible by default")
flags.DEFINE_list("objects", None, "names of objects; those of the config by default")
flags.DEFINE_list("seeds", ["0"], "numbers")
flags.DEFINE_integer("shots", None, "views to train with; the config's by default", lower_bound=1)
flags.DEFINE_float("network_rate", None, "learning rate of whole networks; the config's by default")
flags.DEFINE_bool("keep", False, "keep the checkpoints of the trainings, for experiments.segment")

RESULT, SCORES = "oneshot.json", "evaluation.json"
SHOWN = ("dice", "iou", "boundary_f", "j_and_f")


class Method(NamedTuple):
  """How a model learns an object.

  Attributes:
    kind: of the model.
    learned: first words of the paths of its parameters that are learned; () for all.
    given: parts of its parameters that come from the source.
  """

  kind: str
  learned: tuple[str, ...]
  given: tuple[str, ...]

  @property
  def small(self) -> bool:
    """Whether no more is learned than the numbers that stand for an object."""
    return self.learned in (("coefficients",), ("latent",))


METHODS = {
  "coefficients": Method("coefficients", ("coefficients",), ("hypernetwork", "backbone")),
  "latent": Method("base", ("latent",), ("hypernetwork", "backbone")),
  "fixed_deeplab": Method("deeplab", ("head",), ("backbone",)),
  "scratch": Method("base", ("latent", "hypernetwork", "backbone"), ()),
  "deeplab": Method("deeplab", (), ()),
  "unet": Method("unet", (), ()),
}


class Trial:
  """One model with its compiled step and scores, for any number of objects.

  Args:
    name: of the model, see METHODS.
    config: as for the coefficients.
    views: of all objects.
    source: workdir that the given parts are from.
    devices: where to compute.
  """

  def __init__(
    self,
    name: str,
    config: ml_collections.ConfigDict,
    views: "Views",
    source: str | None,
    devices: Devices,
  ):
    self._method, self._views, self._devices = METHODS[name], views, devices
    self._source = Source(source, config) if self._method.given else None
    self.config = self._adapted(config)
    self._task = build.make_task(self.config)
    self._updates = make_updates(self.config.train.updates, list(self._task.losses))
    self._init = jax.jit(self._task.init)
    self._step = self._evaluator = None

  def _adapted(self, config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The config of this model."""
    method, config = self._method, ml_collections.ConfigDict(config.to_dict())
    (settings,) = config.train.updates
    (optimizer,) = (g for g in settings["groups"].values() if g["name"] != FROZEN)
    rate, clip_value = optimizer["rate"], optimizer["clip_value"]
    if FLAGS.network_rate is not None and not method.small:
      rate = FLAGS.network_rate
    config.model.kind, config.model.known = method.kind, 0
    config.model.frozen_backbone = "backbone" in method.given
    if method.learned:
      config.train.updates = update(self._learned(config), rate, clip_value)
    else:
      config.train.updates = update_all(rate, clip_value)
    if self._source and method.kind == "coefficients":
      config.model.bases = len(self._source.bases)
    return config

  def _learned(self, config) -> tuple[str, ...]:
    """Without the backbone where it is generated."""
    generated = config.model.generated == "all" and self._method.kind != "deeplab"
    return tuple(n for n in self._method.learned if n != "backbone" or not generated)

  def first_state(self, seed: int) -> TrainState:
    """Where learning starts: what is given, and the rest as initialised."""
    batch = build.example_batch(self.config)
    batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), batch)
    key = jax.random.key(seed)
    params, model_state = self._init(key, batch)
    if self._source:
      params, model_state = self._source.give(self._method, params, model_state)
    return state_from(params, model_state, self._updates, key)

  def run(self, name: str, seed: int, shots: int, workdir: Path) -> dict[str, float]:
    """Learns an object and scores the views that were not trained with."""
    if (workdir / SCORES).exists():
      return json.loads((workdir / SCORES).read_text())
    config = ml_collections.ConfigDict(self.config.to_dict())
    config.seed = seed
    config.data.by_object.update(only=(name,), shots=shots, seed=seed)
    examples, test = self._views.chosen(config)
    state = self.first_state(seed)
    resolved = config.to_dict()
    if self._step is None:
      self._step = compile_train_step(self._task, resolved, self._devices, state)
      self._evaluator = build.make_evaluator(config, self._task, test, self._devices)
    state = fit(
      self._task,
      train_batches(examples, config.data.batch_size, seed),
      resolved,
      workdir,
      devices=self._devices,
      state=state,
      train_step=self._step,
    )
    scores = build.score(self._evaluator, config, test, state.params, state.model_state)
    (workdir / SCORES).write_text(json.dumps(scores, indent=1))
    if not FLAGS.keep:
      for checkpoints in (LAST, BEST):
        shutil.rmtree(workdir / checkpoints, ignore_errors=True)
    return scores


class Views:
  """The views of all objects, opened once.

  Attributes:
    names: of the objects that the config chooses.
  """

  def __init__(self, config: ml_collections.ConfigDict):
    self._train = joined_views(config.data, config.data.split, training=True)
    self._test = joined_views(config.data, config.eval.test_split)
    self.names = self.chosen(config)[0].about["objects"]

  def chosen(self, config: ml_collections.ConfigDict) -> tuple[GroupedExamples, GroupedExamples]:
    """What a config trains with, and what it scores."""
    data, test = config.data, config.eval.test_split
    train = by_object(self._train, data, data.split, training=True)
    return train, by_object(self._test, data, test, training=False)


class Source:
  """What a pretraining, a pursuit or an import gives.

  Attributes:
    bases: latents [n, D].
  """

  def __init__(self, workdir: str, config: ml_collections.ConfigDict):
    like = nothing_known(config, build.make_task(config), initialised=False)
    self._where, self._model = f"--source {workdir}", model_of(workdir, like)
    self.bases = latents_of(workdir, self._where, "bases", like)

  def give(self, method: Method, params: Mapping[str, Any], model_state: Mapping[str, Any]):
    """Parameters and model state with the parts that a method is given."""
    params, model_state = dict(params), dict(model_state)
    for part in method.given:
      if part in params:
        params[part] = part_of(self._model["params"], part, params, self._where)
    if "batch_stats" in model_state and "backbone" in method.given:
      statistics = part_of(
        self._model["model_state"]["batch_stats"],
        *("backbone", model_state["batch_stats"], self._where),
      )
      model_state["batch_stats"] = {**model_state["batch_stats"], "backbone": statistics}
    if method.kind == "coefficients":
      memory = empty_memory(*self.bases.shape)
      for base in self.bases:
        memory = add_base(memory, base)
      model_state["memory"], params["coefficients"] = memory, initial_coefficients(memory)
    return params, model_state


def table(rows: Sequence[Mapping[str, Any]], about: str) -> str:
  """Mean over objects of each model, and its deviation over seeds, as text."""
  lines = [about, f"  {'':<14}" + "".join(f"{name:>18}" for name in SHOWN)]
  for model in dict.fromkeys(row["model"] for row in rows):
    seeds = sorted({row["seed"] for row in rows if row["model"] == model})
    cells = []
    for score in SHOWN:
      means = [
        np.mean([r["scores"][score] for r in rows if (r["model"], r["seed"]) == (model, seed)])
        for seed in seeds
      ]
      cells.append(f"{np.mean(means):.3f} +- {np.std(means):.3f}")
    lines.append(f"  {model:<14}" + "".join(f"{cell:>18}" for cell in cells))
  return "\n".join(lines)


def chosen_models() -> list[str]:
  """Those asked for, or all that are possible; InputError where one is not."""
  possible = [name for name, method in METHODS.items() if FLAGS.source or not method.given]
  for name in FLAGS.models or ():
    if name not in METHODS:
      known = ", ".join(METHODS)
      raise InputError(f"--models: no model {name!r}{closest(name, METHODS)}; there are {known}")
    if name not in possible:
      raise InputError(f"--models {name} starts from a pretraining: give its workdir as --source")
  return FLAGS.models or possible


def main(_):
  config, workdir, devices = CONFIG.value, Path(FLAGS.workdir), Devices()
  models, seeds = chosen_models(), [int(seed) for seed in FLAGS.seeds]
  build.prepare_data(config)
  views, shots = Views(config), FLAGS.shots or config.data.by_object.shots
  objects = FLAGS.objects or views.names
  rows = []
  for model in models:
    trial = Trial(model, config, views, FLAGS.source, devices)
    for seed in seeds:
      for name in objects:
        print(f"\n{model}, {name}, seed {seed}", flush=True)
        scores = trial.run(name, seed, shots, workdir / model / name / f"seed-{seed}")
        rows.append({"model": model, "object": name, "seed": seed, "scores": scores})
        print("  " + "  ".join(f"{score} {scores[score]:.3f}" for score in SHOWN), flush=True)
  about = (
    f"{config.data.name}, {len(objects)} objects from {shots} of their views, scores on split "
    f"{config.eval.test_split}; mean over objects and its deviation over {len(seeds)} seeds"
  )
  result = {"about": about, "source": FLAGS.source, "shots": shots, "rows": rows}
  (workdir / RESULT).write_text(json.dumps(result, indent=1))
  print("\n" + table(rows, about))
  print(f"scores: {workdir / RESULT}")


if __name__ == "__main__":
  command.run(main, __doc__)
