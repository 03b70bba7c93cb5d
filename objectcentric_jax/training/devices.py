"""Data parallelism: one global-batch step over every device of every process.

Parameters are replicated and batches are sharded over the one mesh axis `data`, as is what a model
carries from batch to batch (`model_state["carry"]`, whose arrays start with the batch axis); the
step is written for the global batch, so its result does not depend on the number of devices.
"""

import itertools
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
CARRY = "carry"  # part of the model state with a row for each example of the batch


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
    return {name: self._put(value) for name, value in batch.items()}

  def _put(self, rows: np.ndarray) -> jax.Array:
    return jax.make_array_from_process_local_data(self.sharded, np.asarray(rows))

  def placement(self, tree: Any) -> Any:
    """Where the leaves of a tree live: a carry sharded, all else replicated."""
    return jax.tree_util.tree_map_with_path(
      lambda path, _: self.sharded if is_carry(path) else self.replicated, tree
    )

  def place(self, function: Callable, *arguments: Any) -> Any:
    """Runs `function(*arguments)` compiled, with its result placed by `placement`."""
    shardings = self.placement(jax.eval_shape(function, *arguments))
    return jax.jit(function, out_shardings=shardings)(*arguments)

  def compile_step(self, step: Callable, parallel: str, state: Any) -> Callable:
    """Compiles (state, batch) -> (state, report), reusing the memory of the state.

    "jit" takes a step over the global batch; "pmap" a step over one device's share that averages
    over the axis AXIS. `state` gives the structure of states.
    """
    if parallel == "jit":
      placement = self.placement(state)
      return jax.jit(
        step,
        in_shardings=(placement, self.sharded),
        out_shardings=(placement, self.replicated),
        donate_argnums=0,
      )
    carried = jax.tree_util.tree_map_with_path(lambda path, _: is_carry(path), state)
    axes = jax.tree.map(lambda is_carried: 0 if is_carried else None, carried)
    mapped = jax.pmap(step, AXIS, in_axes=(axes, 0), out_axes=(axes, None), donate_argnums=0)

    def split(value):
      rows = np.concatenate([shard.data for shard in ordered_shards(value)])
      return rows.reshape(len(jax.local_devices()), -1, *value.shape[1:])

    def joined(value):
      rows = np.concatenate([shard.data for shard in ordered_shards(value)])
      return self._put(rows.reshape(-1, *value.shape[2:]))

    def where_carried(function, tree):
      return jax.tree.map(lambda c, x: function(x) if c else x, carried, tree)

    def mapped_step(state, batch):
      state, report = mapped(where_carried(split, state), jax.tree.map(split, batch))
      return where_carried(joined, state), report

    return mapped_step


def is_carry(path: Any) -> bool:
  """Whether a key path of jax, in a state or a model, leads into `model_state["carry"]`."""
  names = [getattr(key, "key", getattr(key, "name", None)) for key in path]
  return any(pair == ("model_state", CARRY) for pair in itertools.pairwise(names))


def without_carry(model_state: Mapping[str, Any]) -> dict[str, Any]:
  """What of a model state is the model's and not that of one batch."""
  return {name: value for name, value in model_state.items() if name != CARRY}


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
