"""Data parallelism: one global-batch step over every device of every process.

Parameters are replicated and batches are sharded over the one mesh axis `data`; the step is written
for the global batch, so its result does not depend on the number of devices.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from objectcentric_jax.errors import InputError

AXIS = "data"
PARALLEL = ("jit", "pmap")


class Devices:
  """Where trees live and how steps are compiled.

  Attributes:
    count: devices over all processes.
    replicated: sharding of parameters and results.
    sharded: sharding of batches along their first axis.
  """

  def __init__(self):
    self.count = jax.device_count()
    mesh = jax.make_mesh((self.count,), (AXIS,), axis_types=(AxisType.Auto,))
    self.replicated = NamedSharding(mesh, PartitionSpec())
    self.sharded = NamedSharding(mesh, PartitionSpec(AXIS))

  def check_batch(self, field: str, size: int):
    """Raises InputError unless batches of this size divide among the devices."""
    if size < 1 or size % self.count:
      raise InputError(
        f"{field} is {size}, which does not divide among {self.count} devices; "
        f"use a multiple of {self.count}"
      )

  def put(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
    """This process's rows of a batch as part of the global batch."""
    return {
      name: jax.make_array_from_process_local_data(self.sharded, np.asarray(value))
      for name, value in batch.items()
    }

  def replicate(self, function: Callable, *arguments: Any) -> Any:
    """Runs `function(*arguments)` compiled, with its result replicated on all devices."""
    return jax.jit(function, out_shardings=self.replicated)(*arguments)

  def compile_step(self, step: Callable, parallel: str) -> Callable:
    """Compiles (state, batch) -> (state, report), reusing the memory of the state.

    "jit" takes a step over the global batch; "pmap" a step over one device's share that averages
    over the axis AXIS.
    """
    if parallel == "jit":
      return jax.jit(
        step,
        in_shardings=(self.replicated, self.sharded),
        out_shardings=(self.replicated, self.replicated),
        donate_argnums=0,
      )
    mapped = jax.pmap(step, AXIS, in_axes=(None, 0), out_axes=None, donate_argnums=0)

    def split(batch):
      local = len(jax.local_devices())
      return {
        name: np.reshape(
          np.concatenate([shard.data for shard in ordered_shards(value)]),
          (local, -1, *value.shape[1:]),
        )
        for name, value in batch.items()
      }

    return lambda state, batch: mapped(state, split(batch))


def ordered_shards(value: jax.Array) -> list:
  """This process's shards of an array in the order of its rows."""
  return sorted(value.addressable_shards, key=lambda shard: shard.index[0].start or 0)


def check_parallel(parallel: str):
  """Raises InputError unless `config.train.parallel` is known."""
  if parallel not in PARALLEL:
    raise InputError(f"config.train.parallel is {parallel!r}: choose one of {', '.join(PARALLEL)}")


def enable_compilation_cache(folder: str | os.PathLike | None = None):
  """Keeps compiled programs between runs: in `folder`, else where jax was told to (its variable
  JAX_COMPILATION_CACHE_DIR), else in the user's cache folder.
  """
  default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "objectcentric_jax" / "xla"
  chosen = Path(folder or jax.config.jax_compilation_cache_dir or default)
  jax.config.update("jax_compilation_cache_dir", str(chosen.expanduser()))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
