"""The training loop, in the order a run happens."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import Diverged, InputError
from objectcentric_jax.input.prefetch import Prefetch
from objectcentric_jax.training.checkpoints import Checkpoints, write_config
from objectcentric_jax.training.devices import AXIS, Devices, check_parallel
from objectcentric_jax.training.diagnostics import Diagnostics
from objectcentric_jax.training.optimizers import Update, make_updates
from objectcentric_jax.training.phases import start_from
from objectcentric_jax.training.reports import Progress, make_writer, read_metrics
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import TrainState, init_state
from objectcentric_jax.training.step import make_train_step
from objectcentric_jax.training.task import Task

Scores = Mapping[str, float]
CompiledStep = Callable[[TrainState, Any], tuple[TrainState, Mapping[str, jax.Array]]]


def compile_train_step(
  task: Task, config: Mapping[str, Any], devices: Devices, state: TrainState
) -> CompiledStep:
  """The step of `config.train` for a task and states like this one; compiled when it first runs.

  Raises:
    InputError: the config names a loss, optimiser or constant that is not there.
  """
  updates = make_updates(config["train"]["updates"], list(task.losses))
  step = _step(task, updates, config["train"])
  return devices.compile_step(step, config["train"]["parallel"], state)


def fit(
  task: Task,
  batches: Iterator[Any],
  config: Mapping[str, Any],
  workdir: Path,
  *,
  devices: Devices,
  state: TrainState | None = None,
  evaluate: Callable[[TrainState], Scores] | None = None,
  stop: Callable[[Scores], bool] | None = None,
  train_step: CompiledStep | None = None,
) -> TrainState:
  """Trains until `config.train.steps`, or until stop(scores) says so; resumes from the workdir.

  Args:
    task: the model and its losses.
    batches: endless batches of this process with `get_state` and `set_state`.
    config: the resolved config; `config.train` is used here.
    workdir: where checkpoints and reports go.
    devices: where to compute.
    state: what to start from in a fresh workdir; when None it is initialised from `config.seed`
      and takes the parts that `config.train.start_from` names.
    evaluate: gives scores of a state, every `config.train.evaluate_every` steps and at the end.
    stop: ends the training early.
    train_step: of `compile_train_step` for this task and config; for several trainings of one
      kind, which then compile once.

  Returns:
    The state after the last step.

  Raises:
    InputError: the config and the workdir, the model or the devices do not fit together.
    Diverged: a loss, gradient or parameter is not finite; the last good checkpoint is kept.
  """
  train, batch_size = config["train"], config["data"]["batch_size"]
  devices.check_batch("config.data.batch_size", batch_size)
  check_parallel(train["parallel"])
  _check_positive("config.train", train, ("steps", "report_every", "checkpoint_every"))
  is_main = jax.process_index() == 0
  updates = make_updates(train["updates"], list(task.losses))
  step_function = _step(task, updates, train)
  if is_main:
    write_config(workdir, config)

  # The state: from the workdir, else as given, else fresh.
  start = batches.get_state()
  example = devices.put(next(batches))
  batches.set_state(start)
  initialised = state is None
  if initialised:
    key = jax.random.key(config["seed"])
    state = devices.place(lambda k, b: init_state(task, updates, k, as_float(b)), key, example)
  else:
    state = devices.place(_same, state)  # a copy, since the steps reuse its memory
  train_step = train_step or devices.compile_step(step_function, train["parallel"], state)
  checkpoints = Checkpoints(workdir, config, config["eval"]["best"], train["keep_checkpoints"])
  restored = checkpoints.restore(state)
  finished = False
  if restored is not None:
    state, notes = restored
    finished = notes["finished"]
    if notes["iterator"] is not None:  # an imported checkpoint has none
      batches.set_state(notes["iterator"])
  elif initialised:
    getattr(task, "check_ready", lambda: None)()
    state = start_from(state, train["start_from"])
  first = int(state.step)
  if is_main and restored is not None:
    print(f"resuming from step {first} of {workdir}", flush=True)

  writer = make_writer(workdir, first, train["tensorboard"]) if is_main else None
  diagnostics = Diagnostics(config["model"], read_metrics(workdir) if is_main else ())
  progress = Progress(train["steps"], batch_size)
  prefetch = Prefetch(batches, devices.put, train["prefetch"])
  pending: list[tuple[int, Mapping[str, jax.Array]]] = []  # reports still on the device
  last_step = first if finished else max(train["steps"], first)

  def report(step):
    means = _means(pending)
    pending.clear()
    if is_main and means:
      speed = progress.speed(step, prefetch.waited)
      writer.write_scalars(step, {**means, **speed})
      progress.line(step, {n: means[n] for n in train["headline"] if n in means} | speed)
      for name, warning in diagnostics.update(means).items():
        writer.write_texts(step, {f"warning/{name}": warning})
        progress.warn(step, warning)

  try:
    for step in range(first + 1, last_step + 1):
      state, terms = train_step(state, next(prefetch))
      pending.append((step, terms))
      if step == first + 1:
        _means(pending)  # waits for the first step: the clock starts after compilation
        progress.begin(step, prefetch.waited)
      is_last = step == last_step
      if is_last or _due(step, train["report_every"]):
        report(step)
      if evaluate is not None and (is_last or _due(step, train["evaluate_every"])):
        _means(pending)  # a state that is not finite is neither scored nor saved
        scores = evaluate(state)
        checkpoints.save_best(state, scores)
        if is_main:
          writer.write_scalars(step, {f"eval/{name}": value for name, value in scores.items()})
          shown = {n: scores[n] for n in config["eval"]["headline"] if n in scores}
          progress.line(step, {f"eval/{name}": value for name, value in shown.items()})
        finished = stop is not None and stop(scores)
      # Last of all, since a run resumed from here repeats nothing of this step.
      if is_last or finished or _due(step, train["checkpoint_every"]):
        _means(pending)
        checkpoints.save(state, prefetch.state, finished)
      if finished:
        break
  finally:
    prefetch.close()
    checkpoints.close()
    if writer is not None:
      writer.close()
  return state


def _step(task: Task, updates: Sequence[Update], train: Mapping[str, Any]) -> Callable:
  axis_name = AXIS if train["parallel"] == "pmap" else None
  return make_train_step(task, updates, make_schedules(train["schedules"]), axis_name)


def _same(state: TrainState) -> TrainState:
  return state


def _due(step: int, period: int) -> bool:
  return period > 0 and step % period == 0


def _check_positive(where: str, section: Mapping[str, Any], names: tuple[str, ...]):
  for name in names:
    if section[name] < 1:
      raise InputError(f"{where}.{name} is {section[name]}: at least 1 is needed")


def _means(pending: list[tuple[int, Mapping[str, jax.Array]]]) -> dict[str, float]:
  """Mean of each reported quantity; Diverged at the first one that is not finite."""
  reports = [(step, terms) for (step, _), terms in zip(pending, _fetch(pending), strict=True)]
  for step, terms in reports:
    bad = [name for name, value in terms.items() if not math.isfinite(value)]
    if bad:
      others = f" (then: {', '.join(bad[1:])})" if bad[1:] else ""
      raise Diverged(
        f"step {step}: {bad[0]} is {terms[bad[0]]}{others}; the last good checkpoint is kept. "
        "Try a smaller learning rate, clipped gradients, or float32"
      )
  names = reports[0][1] if reports else ()
  return {name: sum(terms[name] for _, terms in reports) / len(reports) for name in names}


def _fetch(pending) -> list[dict[str, float]]:
  fetched = jax.device_get([terms for _, terms in pending])
  return [{name: float(value) for name, value in terms.items()} for terms in fetched]
