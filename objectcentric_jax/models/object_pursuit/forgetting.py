"""What keeps known objects known while the hypernetwork learns a new one: the memory term.

Section 3.3 of Pan et al. (2022); object_pursuit/train.py of pptrick/Object-Pursuit, whose anchor
are the weights as they were when the object was learned, by their distance, not its square.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.losses.norms import euclidean_norm
from objectcentric_jax.models.object_pursuit.memory import Memory
from objectcentric_jax.nn.compute import unroll_length

Array = jax.Array

ALL_UP_TO = 10  # so many known objects all count in every step
SHARE = 5  # of more every fifth does, drawn anew


def memory_term(
  generate: Callable[[Array], Mapping[str, Mapping[str, Array]]], memory: Memory, rng: Array
) -> Array:
  """How far the weights of known objects have moved: a scalar.

  The sum over the objects and over the tensors of their weights of the Euclidean distance between
  what is generated now and what was when the object was learned.

  Args:
    generate: latents [S, D] to weights, trees of [S, ...]; its parameters get the gradient.
    memory: of the pursuit.
    rng: chooses among the objects where they are many.

  One object after the other, so that the maps of one are held at a time; on the CPU, where
  convolutions in loops are slow, all that the memory has room for at once. Rows without an object
  do not count.
  """
  if memory.objects_capacity == 0:
    return jnp.zeros((), memory.bases.dtype)
  rows, used = chosen(memory, rng)

  def distances(places):
    stored = jax.tree.map(lambda x: x[places], memory.generated)
    now = generate(memory.latents[places])
    moved = jax.tree.map(lambda a, b: jax.vmap(euclidean_norm)(a - b), dict(now), dict(stored))
    return sum(jax.tree.leaves(moved))

  if unroll_length(0, len(rows)) == len(rows):
    return jnp.where(used, distances(rows), 0.0).sum()

  @jax.checkpoint
  def distance(row):
    return distances(row[None])[0]

  def add(total, chosen_row):
    row, is_used = chosen_row
    moved = lax.cond(is_used, distance, lambda _: jnp.zeros_like(total), row)
    return total + moved, None

  start = jnp.zeros((), memory.latents.dtype)
  return lax.scan(add, start, (rows, used))[0]


def chosen(memory: Memory, rng: Array) -> tuple[Array, Array]:
  """Rows of the known objects that count in this step, [S], and which of these rows are used."""
  capacity, known = memory.objects_capacity, memory.known
  count = jnp.where(known <= ALL_UP_TO, known, known // SHARE)
  most = min(capacity, max(ALL_UP_TO, capacity // SHARE))
  order = jax.random.uniform(rng, (capacity,), jnp.float32)
  order = jnp.where(jnp.arange(capacity) < known, order, 2.0)
  return jnp.argsort(order)[:most], jnp.arange(most) < count
