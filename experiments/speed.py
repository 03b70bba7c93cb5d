"""Measures a config: compile time, step time, throughput, arithmetic, input and memory.

python -m experiments.speed --config configs/MODEL/DATASET.py [--batch N] [--dtype bfloat16]
    [--steps 20]
"""

import resource
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.experimental.compilation_cache import compilation_cache

from experiments import build, command
from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.input.generated import GENERATED
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.input.prefetch import Prefetch
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import init_state
from objectcentric_jax.training.step import make_train_step

FLAGS = flags.FLAGS
CONFIG = command.define_config()
flags.DEFINE_integer("batch", None, "images a step; the config's by default", lower_bound=1)
flags.DEFINE_string("dtype", None, "float32 or bfloat16; the config's by default")
flags.DEFINE_integer("steps", 20, "measured steps", lower_bound=1)
flags.DEFINE_bool("input", False, "measure reading the config's prepared dataset, too")

PRODUCT_SIDE = 2048  # of the square matrices whose product gives the machine's rate


def main(_):
  config = CONFIG.value
  if FLAGS.batch:
    config.data.batch_size = FLAGS.batch
  if FLAGS.dtype:
    config.model.dtype = FLAGS.dtype
  devices = Devices()
  size = config.data.batch_size
  devices.check_batch("--batch", size)
  if config.train.parallel != "jit":
    found = config.train.parallel
    raise InputError(f"config.train.parallel is {found!r}: experiments.speed measures jit alone")
  stored = open_stored(config) if FLAGS.input else None
  task = build.make_task(config)
  updates = make_updates(config.train.updates, list(task.losses))
  step = make_train_step(task, updates, make_schedules(config.train.schedules.to_dict()))
  batch = devices.put(build.made_up_batch(config, scenes=size))
  key = jax.random.key(config.seed)
  state = devices.place(lambda k, b: init_state(task, updates, k, as_float(b)), key, batch)

  jax.config.update("jax_enable_compilation_cache", False)  # its answer would be the time measured
  compilation_cache.reset_cache()  # or the setting would not be looked at again
  start = time.perf_counter()
  compiled = devices.compile_step(step, "jit", state).lower(state, batch).compile()
  compile_time = time.perf_counter() - start
  # XLA counts what one device does.
  operations = devices.count * (compiled.cost_analysis() or {}).get("flops", float("nan"))
  memory = compiled.memory_analysis()
  times = []
  for _ in range(FLAGS.steps + 2):
    start = time.perf_counter()
    state, report = compiled(state, batch)
    jax.block_until_ready(report)
    times.append(time.perf_counter() - start)
  step_time = float(np.median(times[2:]))
  rate = matrix_rate(config.model.dtype)

  kind = jax.local_devices()[0].device_kind
  print(f"{config.task}, batch {size}, {config.model.dtype}, {devices.count} x {kind}")
  line("parameters", f"{sum(x.size for x in jax.tree.leaves(state.params)):,}")
  line("compile time", f"{compile_time:.1f} s")
  spread = f"{min(times[2:]):.4f} to {max(times[2:]):.4f}"
  line("step time", f"{step_time:.4f} s, median of {FLAGS.steps} ({spread})")
  line("throughput", f"{size / step_time:.1f} images/s")
  achieved = operations / step_time
  line("arithmetic", f"{operations / 1e9:.1f} GFLOP a step, {achieved / 1e9:.1f} GFLOP/s")
  share = achieved / (rate * devices.count)
  line("matrix products", f"{rate / 1e9:.1f} GFLOP/s a device; a step reaches {share:.1%} of it")
  temporary, arguments = memory.temp_size_in_bytes, memory.argument_size_in_bytes
  line(
    "compiled memory",
    f"{temporary / 2**20:.0f} MiB temporary, {arguments / 2**20:.0f} MiB arguments",
  )
  line("peak memory", peak_memory())
  if stored is not None:
    line("input", f"{input_rate(stored, config, devices):.0f} images/s")


def line(name: str, value: str):
  print(f"  {name:<16} {value}")


def matrix_rate(dtype: str) -> float:
  """Floating-point operations a second of one device in a large matrix product, best of five."""
  left = jnp.ones((PRODUCT_SIDE, PRODUCT_SIDE), dtype)
  product = jax.jit(jnp.matmul)
  product(left, left).block_until_ready()
  times = []
  for _ in range(5):
    start = time.perf_counter()
    product(left, left).block_until_ready()
    times.append(time.perf_counter() - start)
  return 2 * PRODUCT_SIDE**3 / min(times)


def peak_memory() -> str:
  """Of the device where it says, and of this process."""
  host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
  device = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
  on_device = "" if device is None else f"{device / 2**20:.0f} MiB on the device, "
  return f"{on_device}{host:.0f} MiB in the process"


def open_stored(config) -> Examples:
  """The config's prepared dataset."""
  if config.data.name == GENERATED:
    raise InputError("--input measures a prepared dataset; this config has made-up scenes")
  return build.open_examples(config, config.data.split, training=True)


def input_rate(examples: Examples, config, devices: Devices, seconds: float = 5.0) -> float:
  """Images a second that the input alone delivers to the devices."""
  data = config.data
  batches = train_batches(
    examples,
    data.batch_size,
    config.seed,
    workers=data.workers,
    threads=data.threads,
    chunk=data.chunk,
    lead=data.lead,
  )
  prefetch = Prefetch(batches, devices.put, config.train.prefetch)
  for _ in range(10):
    next(prefetch)
  start, count = time.perf_counter(), 0
  while time.perf_counter() - start < seconds:
    jax.block_until_ready(next(prefetch))
    count += data.batch_size
  prefetch.close()
  return count / (time.perf_counter() - start)


if __name__ == "__main__":
  command.run(main, __doc__)
