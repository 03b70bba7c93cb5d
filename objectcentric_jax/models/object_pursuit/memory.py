"""What a pursuit remembers: the latents that span its space of objects, and the known objects.

Both are padded to a capacity, so that one more of them changes no shape and nothing is compiled
again. Where the capacity is used up, `grown` makes room (and one compilation is due).
"""

from collections.abc import Mapping

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.errors import InputError

Array = jax.Array


@flax.struct.dataclass
class Memory:
  """Bases and known objects; rows from `count` and from `known` on are zeros.

  Lives in `model_state["memory"]` of a task.

  Attributes:
    bases: [N, D] latents whose linear combinations are the space of objects.
    count: int32, how many bases there are.
    latents: [M, D] of the known objects, for the memory term; None where it is not needed.
    generated: what the hypernetwork generated from each of them when it was learned: a tree of
      arrays [M, ...], empty where there are no latents.
    known: int32, how many known objects there are.
  """

  bases: Array
  count: Array
  latents: Array | None
  generated: Mapping[str, Mapping[str, Array]]
  known: Array

  @property
  def capacity(self) -> int:
    """How many bases there is room for."""
    return self.bases.shape[0]

  @property
  def objects_capacity(self) -> int:
    """How many known objects there is room for."""
    return 0 if self.latents is None else self.latents.shape[0]


def empty_memory(
  capacity: int, latent_size: int, objects: int = 0, generated: Mapping | None = None
) -> Memory:
  """A memory of nothing.

  Args:
    capacity: N, of bases.
    latent_size: D.
    objects: M, room for known objects; 0 for a memory of bases alone.
    generated: tree of arrays or shapes [...] as generated from one latent; needed with `objects`.
  """
  rows = jax.tree.map(
    lambda x: jnp.zeros((objects, *x.shape), x.dtype), dict(generated or {}) if objects else {}
  )
  return Memory(
    bases=jnp.zeros((capacity, latent_size)),
    count=jnp.zeros((), jnp.int32),
    latents=jnp.zeros((objects, latent_size)) if objects else None,
    generated=rows,
    known=jnp.zeros((), jnp.int32),
  )


def valid(memory: Memory) -> Array:
  """Which rows of `memory.bases` hold one: [N] bool."""
  return jnp.arange(memory.capacity) < memory.count


def add_base(memory: Memory, latent: Array) -> Memory:
  """The memory with one more base [D].

  Raises:
    InputError: it is full; not under `jit`, where the base would be lost.
  """
  _check_room(memory.count, memory.capacity, "bases")
  bases = memory.bases.at[memory.count].set(latent)
  return memory.replace(bases=bases, count=memory.count + 1)


def remove_bases(memory: Memory, keep: Array) -> Memory:
  """The memory without some of its bases; the others move up in their order.

  Args:
    memory: the memory.
    keep: [N] bool; rows that hold no base do not count.
  """
  kept = jnp.asarray(keep) & valid(memory)
  order = jnp.argsort(~kept, stable=True)
  count = kept.sum().astype(jnp.int32)
  bases = jnp.where(jnp.arange(memory.capacity)[:, None] < count, memory.bases[order], 0)
  return memory.replace(bases=bases, count=count)


def add_known(memory: Memory, latent: Array, generated: Mapping) -> Memory:
  """The memory with one more known object: its latent [D] and what is generated from it.

  Raises:
    InputError: it is full; not under `jit`, where the object would be lost.
  """
  _check_room(memory.known, memory.objects_capacity, "known objects")
  rows = jax.tree.map(
    lambda row, new: row.at[memory.known].set(new), dict(memory.generated), dict(generated)
  )
  latents = memory.latents.at[memory.known].set(latent)
  return memory.replace(latents=latents, generated=rows, known=memory.known + 1)


def grown(memory: Memory, capacity: int, objects: int = 0) -> Memory:
  """The memory with room for more bases and known objects (at least as much as before)."""

  def longer(rows, size):
    missing = max(0, size - rows.shape[0])
    return jnp.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))

  return memory.replace(
    bases=longer(memory.bases, capacity),
    latents=None if memory.latents is None else longer(memory.latents, objects),
    generated=jax.tree.map(lambda rows: longer(rows, objects), memory.generated),
  )


def without_known(memory: Memory) -> Memory:
  """The bases alone, for trainings without the memory term."""
  return memory.replace(latents=None, generated={}, known=jnp.zeros_like(memory.known))


def initial_coefficients(memory: Memory) -> Array:
  """Where the fit of an object over n bases starts, 1 / sqrt(n) each: [N], zeros from n on."""
  count = jnp.maximum(memory.count, 1).astype(memory.bases.dtype)
  return jnp.where(valid(memory), 1 / jnp.sqrt(count), 0.0)


def combined(memory: Memory, coefficients: Array) -> Array:
  """The latent [D] that coefficients [N] make of the bases; those without a base do nothing."""
  return jnp.where(valid(memory), coefficients, 0.0) @ memory.bases


def projected(bases: Array, latent: Array) -> tuple[Array, Array, Array]:
  """A latent [D] as a combination of bases [n, D] by least squares.

  Returns:
    Coefficients [n], the projection [D], and its distance to the latent as a share of its length.
  """
  coefficients = jnp.linalg.solve(bases @ bases.T, bases @ latent)
  projection = coefficients @ bases
  distance = jnp.linalg.norm(latent - projection) / jnp.linalg.norm(latent)
  return coefficients, projection, distance


def _check_room(count: Array, capacity: int, what: str):
  if not isinstance(count, jax.core.Tracer) and int(np.asarray(count)) >= capacity:
    raise InputError(f"the memory holds {capacity} {what} and is full: make room with `grown`")
