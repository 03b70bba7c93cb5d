"""One pursuit, from its config to its journal; resumes from its folder."""

import dataclasses
import time
from pathlib import Path

import ml_collections

from experiments import build, pursuit_figures
from experiments.inner_trainings import SCORE, InnerTrainings
from experiments.pursuit_start import nothing_known, start
from experiments.pursuit_stream import ObjectStream
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit.journal import names_by_object, sentences
from objectcentric_jax.models.object_pursuit.pursuit import (
  Decision,
  Knowledge,
  Rules,
  meet,
  remove_redundant,
)
from objectcentric_jax.models.object_pursuit.store import Store
from objectcentric_jax.training.checkpoints import write_config
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.reports import duration

TRAININGS = "trainings"
SIMPLIFIED = "simplified"


class Pursuit:
  """The parts of a pursuit, from its config.

  Attributes:
    config, workdir: of it.
    trainings: its inner trainings.
    stream: what arrives.
    store: what it keeps on disk.
  """

  def __init__(self, config: ml_collections.ConfigDict, workdir: Path):
    settings = config.pursuit
    self.config, self.workdir = config, workdir
    self.trainings = InnerTrainings(config, workdir / TRAININGS, Devices())
    build.prepare_data(config)
    self.stream = ObjectStream(config)
    self.store = Store(workdir, settings.threshold, settings.snapshot_every)

  def restored(self) -> tuple[Knowledge, list[Decision]]:
    """What is known so far; InputError where nothing was begun."""
    if not self.store.begun:
      raise InputError(f"--workdir {self.workdir} holds no pursuit: begin one with --config")
    return self.store.restore(nothing_known(self.config, self.trainings.task))

  def run(self):
    """Takes in the arrivals that are left."""
    settings, arrivals = self.config.pursuit, self.stream.arrivals
    rules = Rules(settings.threshold, settings.failed_start_stays)
    if self.store.begun:
      knowledge, decisions = self.restored()
      self.store.write_journal(knowledge, decisions)
      print(f"resuming after {len(decisions)} of {len(arrivals)} arrivals")
    else:
      knowledge, decisions = start(self.config, self.trainings), []
      self.store.save(knowledge, decisions)
    clock = Clock(len(decisions), len(arrivals))
    for arrival in arrivals[len(decisions) :]:
      print(f"\narrival {arrival.round} of {len(arrivals)}", flush=True)
      views, before = self.stream.views(arrival), knowledge
      knowledge, decision = meet(knowledge, arrival, views, self.trainings, rules)
      if settings.follow and knowledge.networks is not before.networks:
        decision = dataclasses.replace(decision, retained=self.retained(knowledge))
      decisions.append(decision)
      self.store.save(knowledge, decisions)
      self.trainings.tidy(views)
      print(sentences(decision, settings.threshold, names_by_object(decisions)))
      print(clock.line(len(decisions)), flush=True)
      pursuit_figures.draw(knowledge, decisions, self.workdir)
    print(f"journal: {self.workdir / 'journal.txt'}\nfigures: {self.workdir / 'images'}")

  def retained(self, knowledge: Knowledge) -> dict[int, float]:
    """What every learned object scores on the views that were held out when it was learned."""
    scores = {}
    for number in knowledge.candidates:
      arrival = self.stream.arrivals[knowledge.objects[number].round - 1]
      latent, shown = knowledge.memory.latents[number], self.stream.views(arrival).held_out
      scores[number] = self.trainings.scores(knowledge.networks, latent, shown)[SCORE]
    return scores

  def simplify(self):
    """Writes the knowledge without redundant bases to the folder `simplified`."""
    knowledge, decisions = self.restored()
    views = {
      known.base: self.stream.views(self.stream.arrivals[known.round - 1])
      for known in knowledge.objects
      if known.base is not None and known.round
    }
    threshold = self.config.pursuit.simplify_threshold
    after, reached = remove_redundant(knowledge, views, self.trainings, threshold)
    for base, score in reached.items():
      said = "dropped" if score > threshold else "kept"
      print(f"base {base}: the others reach {score:.3f} without it: {said}")
    folder = self.workdir / SIMPLIFIED
    write_config(folder, self.config.to_dict())
    store = Store(folder, self.config.pursuit.threshold)
    store.save(after, decisions)
    store.close()
    print(f"{knowledge.base_count} bases before, {after.base_count} after: {folder}")


class Clock:
  """How long the rest will take."""

  def __init__(self, done: int, total: int):
    self._first, self._total, self._start = done, total, time.perf_counter()

  def line(self, done: int) -> str:
    """Progress after so many arrivals."""
    pace = (time.perf_counter() - self._start) / (done - self._first)
    left = duration(pace * (self._total - done))
    return f"{done} of {self._total} arrivals, {duration(pace)} each, ETA {left}"
