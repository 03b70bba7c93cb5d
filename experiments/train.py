"""Trains the model of a config; starting again with the same workdir resumes.

python -m experiments.train --config configs/MODEL/DATASET.py[:variant] --workdir DIR
    [--config.field=value ...]
"""

import json
import time
from pathlib import Path

import jax
from absl import flags

from experiments import build, command
from experiments.pictures import draw_reconstruction
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.plots.grid import save
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.loop import fit
from objectcentric_jax.training.reports import duration

FLAGS = flags.FLAGS
CONFIG = command.define_config()
flags.DEFINE_string("workdir", None, "folder of the run", required=True)
flags.DEFINE_string("coordinator", None, "host:port of process 0, when there are several")
flags.DEFINE_integer("processes", 1, "how many processes train together", lower_bound=1)
flags.DEFINE_integer("process", 0, "number of this process", lower_bound=0)


def main(_):
  start = time.perf_counter()
  join_processes()
  config, workdir = CONFIG.value, Path(FLAGS.workdir)
  is_main = jax.process_index() == 0
  devices = Devices()
  task = build.make_task(config)
  build.prepare_data(config)
  examples = build.open_examples(config, config.data.split, training=True)
  held_out = build.open_examples(config, config.eval.split)
  if is_main:
    kind = jax.local_devices()[0].device_kind
    print(f"{devices.count} x {kind}, {len(examples)} training examples, seed {config.seed}")
    build.check_slots(config, examples)
  batches = train_batches(
    examples,
    config.data.batch_size,
    config.seed,
    jax.process_index(),
    jax.process_count(),
    config.data.workers,
    config.data.threads,
  )
  evaluator = build.make_evaluator(config, task, held_out, devices)

  def evaluate(state):
    return build.score(evaluator, config, held_out, state.params, state.model_state)

  state = fit(
    task,
    batches,
    config.to_dict(),
    workdir,
    devices=devices,
    evaluate=evaluate,
  )
  finish(config, task, evaluator, state, workdir)
  if is_main:
    print(f"done in {duration(time.perf_counter() - start)}")


def join_processes():
  """Connects the processes that train together."""
  if FLAGS.process >= FLAGS.processes:
    raise InputError(f"--process is {FLAGS.process}: below --processes {FLAGS.processes} is needed")
  if FLAGS.processes > 1 and not FLAGS.coordinator:
    raise InputError(f"--processes {FLAGS.processes} needs --coordinator HOST:PORT of process 0")
  if FLAGS.coordinator:
    jax.distributed.initialize(FLAGS.coordinator, FLAGS.processes, FLAGS.process)


def finish(config, task, evaluator, state, workdir: Path):
  """Scores the final state on the test split and draws its scenes."""
  test = build.open_examples(config, config.eval.test_split)
  scores = build.score(evaluator, config, test, state.params, state.model_state)
  if jax.process_index():
    return
  result = build.results(config, test, scores, int(state.step), "last")
  out = workdir / f"evaluation-{config.eval.test_split}.json"
  out.write_text(json.dumps(result, indent=2))
  print(build.table(result))
  picture = workdir / "images" / "reconstruction.png"
  params, model_state = jax.device_get((state.params, state.model_state))  # on this process alone
  save(picture, draw_reconstruction(task, params, model_state, test, config))
  print(f"scores: {out}\npicture: {picture}")


if __name__ == "__main__":
  command.run(main, __doc__)
