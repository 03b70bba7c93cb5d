"""Trains the model of a config; starting again with the same workdir resumes.

python -m experiments.train --config configs/MODEL/DATASET.py[:variant] --workdir DIR
    [--config.field=value ...]
"""

import time
from pathlib import Path

import jax
from absl import flags

from experiments import command, run
from objectcentric_jax.errors import InputError
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
  run.train(CONFIG.value, Path(FLAGS.workdir))
  if jax.process_index() == 0:
    print(f"done in {duration(time.perf_counter() - start)}")


def join_processes():
  """Connects the processes that train together."""
  if FLAGS.process >= FLAGS.processes:
    raise InputError(f"--process is {FLAGS.process}: below --processes {FLAGS.processes} is needed")
  if FLAGS.processes > 1 and not FLAGS.coordinator:
    raise InputError(f"--processes {FLAGS.processes} needs --coordinator HOST:PORT of process 0")
  if FLAGS.coordinator:
    jax.distributed.initialize(FLAGS.coordinator, FLAGS.processes, FLAGS.process)


if __name__ == "__main__":
  command.run(main, __doc__)
