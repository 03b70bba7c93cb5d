"""The inner trainings and tests of a pursuit, each a call of `fit` in a folder of its own.

A kind of training (over the bases; a new base; the first base, with the backbone) is built and
compiled once: how much is known changes no shape, and where the memory has grown, compiles again.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from configs.object_pursuit._base import update
from experiments import build
from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.metrics.mask_overlap import overlap_metrics
from objectcentric_jax.models.object_pursuit.memory import (
  Memory,
  combined,
  initial_coefficients,
  without_known,
)
from objectcentric_jax.models.object_pursuit.pursuit import EXPRESS, LEARN, Fitted, Knowledge
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.checkpoints import BEST, LAST, abstract, restore_model
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.loop import CompiledStep, compile_train_step, fit
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.reports import read_metrics
from objectcentric_jax.training.state import TrainState, state_from
from objectcentric_jax.training.task import Task

Array = jax.Array
Networks = Mapping[str, Any]  # {"params": of the networks, "model_state": their batch statistics}

SCORE = "dice"
NETWORKS = ("hypernetwork", "backbone")
LATENT, COEFFICIENTS = "latent", "coefficients"


class Views(NamedTuple):
  """What is seen of an object.

  Attributes:
    name: of the folder of its trainings.
    seed: of their draws.
    train: views to train with.
    held_out: views to score with.
  """

  name: str
  seed: int
  train: Examples
  held_out: Examples


class Kind(NamedTuple):
  """One kind of inner training.

  Attributes:
    key: kinds of one key are the same.
    config: but for how long it takes.
    task: what is trained.
  """

  key: tuple
  config: ml_collections.ConfigDict
  task: Task


class InnerTrainings:
  """Fits and scores for the pursuit of a config; see `pursuit.Trainings`.

  Args:
    config: as configs/object_pursuit/_pursuit.py has it.
    workdir: below which every object has a folder, and every training one in it.
    devices: where to compute.
  """

  def __init__(self, config: ml_collections.ConfigDict, workdir: Path, devices: Devices):
    if jax.process_count() > 1:
      raise InputError("a pursuit runs in one process: start it without others")
    devices.check_batch("config.eval.batch_size", config.eval.batch_size)
    self._config, self._workdir, self._devices = config, Path(workdir), devices
    self._kinds: dict[tuple, Kind] = {}
    self._steps: dict[tuple, CompiledStep] = {}
    self.task = self._kind(EXPRESS, (COEFFICIENTS,)).task
    self._generate = jax.jit(self._generated, out_shardings=devices.replicated)
    self._measure = jax.jit(self._measured, out_shardings=devices.sharded)

  # Tests

  def usable(self, views: Views) -> bool:
    return len(views.train) >= self._config.data.batch_size and len(views.held_out) > 0

  def similarities(self, knowledge: Knowledge, views: Views) -> list[float]:
    return [
      self.scores(knowledge.networks, knowledge.memory.latents[number], views.held_out)[SCORE]
      for number in knowledge.candidates
    ]

  def scores(self, networks: Networks, latent: Array, examples: Examples) -> dict[str, float]:
    """Mean of every measure of a latent [D] over some views.

    The last batch is filled up with views that were in others, since what is said of one depends on
    its batch; they do not count.
    """
    weights = self.generated(networks, latent)
    size, count = self._config.eval.batch_size, len(examples)
    values: dict[str, list[np.ndarray]] = {}
    for start in range(0, count, size):
      chosen = np.arange(start, start + size)
      batch = self._devices.put(examples.read(chosen % count))
      key = jax.random.fold_in(jax.random.key(self._config.seed), start)
      found = self._measure(networks["params"], networks["model_state"], weights, batch, key)
      for name, value in found.items():
        values.setdefault(name, []).append(np.asarray(value)[chosen < count])
    return {name: float(np.concatenate(rows).mean(dtype=float)) for name, rows in values.items()}

  def generated(self, networks: Networks, latent: Array) -> Mapping:
    return self._generate(networks["params"], latent)

  def _generated(self, params, latent):
    return jax.tree.map(lambda x: x[0], self.task.generate(params, latent[None]))

  def _measured(self, params, model_state, weights, batch, rng):
    batch = as_float(batch)
    inside = nn.sigmoid(self.task.segment(params, model_state, weights, batch["image"], rng))
    scene = Scene(image=None, masks=jnp.stack([1 - inside, inside], axis=1))
    return overlap_metrics(scene, batch)

  # Trainings

  def express(self, knowledge: Knowledge, views: Views, stage: str) -> Fitted:
    kind, memory = self._kind(stage, (COEFFICIENTS,)), without_known(knowledge.memory)
    own = {COEFFICIENTS: initial_coefficients(memory)}
    model, score, epochs = self._fit(kind, knowledge.networks, own, memory, views, stage)
    coefficients = model["params"][COEFFICIENTS]
    chosen = tuple(map(float, coefficients[: knowledge.base_count]))
    return Fitted(score, combined(memory, coefficients), knowledge.networks, chosen, epochs)

  def learn(self, knowledge: Knowledge, views: Views) -> Fitted:
    learned, networks = (LATENT, "hypernetwork"), knowledge.networks
    if not knowledge.backbone_fixed and "backbone" in networks["params"]:
      learned += ("backbone",)
    holds = len(knowledge.objects) > 0
    memory = knowledge.memory if holds else without_known(knowledge.memory)
    size, key = self._config.model.latent_size, jax.random.key(views.seed)
    own = {LATENT: jax.random.normal(key, (size,))}
    kind = self._kind(LEARN, learned, holds)
    model, score, epochs = self._fit(kind, networks, own, memory, views, LEARN)
    return Fitted(score, model["params"][LATENT], networks_of(**model), (), epochs)

  def tidy(self, views: Views):
    """Drops checkpoints of trainings whose outcome is kept elsewhere; their records stay."""
    for folder in (self._workdir / views.name).glob("*/"):
      for checkpoints in (LAST, BEST):
        shutil.rmtree(folder / checkpoints, ignore_errors=True)

  def _kind(self, stage: str, learned: tuple[str, ...], holds: bool = False) -> Kind:
    """The kind of a training.

    Args:
      stage: section of the config that has its settings.
      learned: first words of the paths of what is learned.
      holds: whether there is something known that the hypernetwork is held to.
    """
    settings = self._config.pursuit[stage]
    key = (learned, holds, settings.rate, settings.penalty, settings.memory)
    if key not in self._kinds:
      config = ml_collections.ConfigDict(self._config.to_dict())
      config.model.kind = "base" if LATENT in learned else "coefficients"
      config.model.known = config.model.known if holds else 0
      config.model.frozen_backbone = "backbone" not in learned
      config.model.shrinkage = settings.penalty
      config.model.memory_weight = settings.memory
      rest = not (holds and config.model.generated == "all")
      config.train.updates = update(learned, settings.rate, memory=holds, rest=rest)
      self._kinds[key] = Kind(key, config, build.make_task(config))
    return self._kinds[key]

  def _fit(
    self, kind: Kind, networks: Networks, own: Any, memory: Memory, views: Views, stage: str
  ) -> tuple[dict[str, Any], float, int]:
    """Trains, and returns the best model, its score, and how many epochs it took."""
    folder, settings = self._workdir / views.name / stage, self._config.pursuit[stage]
    config = self._timed(kind, settings.epochs, len(views.train), views.seed)
    updates = make_updates(config["train"]["updates"], list(kind.task.losses))
    model_state = {**networks["model_state"], "memory": memory}
    key = jax.random.key(views.seed)
    state = state_from({**networks["params"], **own}, model_state, updates, key)
    if kind.key not in self._steps:
      self._steps[kind.key] = compile_train_step(kind.task, config, self._devices, state)

    def evaluate(state: TrainState) -> dict[str, float]:
      latent = kind.task.latent(state.params, state.model_state, None)
      found = networks_of(state.params, state.model_state)
      return self.scores(found, latent, views.held_out)

    def stop(_: Mapping[str, float]) -> bool:
      reached = _reached(folder)  # from the records, so that a resumed training stops there, too
      waited = len(reached) - 1 - int(np.argmax(reached))
      return waited >= settings.patience or max(reached) > settings.enough

    state = fit(
      kind.task,
      self._batches(views),
      config,
      folder,
      devices=self._devices,
      state=state,
      evaluate=evaluate,
      stop=stop,
      train_step=self._steps[kind.key],
    )
    reached, model = _reached(folder), {"params": state.params, "model_state": state.model_state}
    if not self._config.pursuit.keep_last:
      model, _ = restore_model(folder, abstract(model), best=True)
    return model, max(reached), len(reached)

  def _batches(self, views: Views):
    data = self._config.data
    return train_batches(
      views.train, data.batch_size, views.seed, workers=data.workers, threads=data.threads
    )

  def _timed(self, kind: Kind, epochs: int, views: int, seed: int) -> dict[str, Any]:
    """The config of a training of so many epochs: one is a score and a report."""
    config, epoch = kind.config.to_dict(), max(views // kind.config.data.batch_size, 1)
    config["seed"] = seed
    config["train"] |= {
      "steps": min(epochs * epoch, config["train"]["steps"]),
      "report_every": epoch,
      "evaluate_every": epoch,
      "checkpoint_every": epoch * config["train"]["checkpoint_every"],
      "keep_checkpoints": 1,
    }
    return config


def networks_of(params: Mapping[str, Any], model_state: Mapping[str, Any]) -> Networks:
  """What of a model is not of one object alone."""
  return {
    "params": {name: params[name] for name in NETWORKS if name in params},
    "model_state": {name: tree for name, tree in model_state.items() if name != "memory"},
  }


def _reached(folder: Path) -> list[float]:
  """The score of every epoch of a training."""
  return [line[f"eval/{SCORE}"] for line in read_metrics(folder) if f"eval/{SCORE}" in line]
