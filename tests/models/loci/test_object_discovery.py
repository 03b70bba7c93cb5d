"""Which slots live, and where the others look."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.models.loci.latents import Latents
from objectcentric_jax.models.loci.object_discovery import ObjectDiscovery

SIDE, SLOTS = 8, 3


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


def latents():
  fill = lambda size, value: jnp.full((1, SLOTS, size), value)  # noqa: E731
  return Latents(fill(4, 0.5), fill(7, 1.0), fill(1, 0.3))


def call(error, surest=(0.9, 0.1, 0.95), presence=0.0, permanence=-1.0, strength=1.0, has=True):
  mask = jnp.zeros((1, SLOTS, SIDE, SIDE, 1)).at[0, :, 2, 2, 0].set(jnp.asarray(surest))
  arguments = (
    *(error, mask, jnp.asarray([has]), latents()),
    *(jnp.full((1, SLOTS, 1), presence), jnp.asarray(permanence)),
  )
  rngs = {"params": jax.random.key(0), "noise": jax.random.key(1)}
  return ObjectDiscovery(strength).init_with_output(rngs, *arguments)[0]


def error_at(row, column, value=1.0):
  return jnp.zeros((1, SIDE, SIDE, 1)).at[0, row, column, 0].set(value)


def test_dead_slots_begin_where_the_image_is_not_explained():
  found = call(error_at(6, 1))
  np.testing.assert_array_equal(found.alive[0, :, 0], [1, 0, 1])
  np.testing.assert_allclose(found.latents.position[0, 0], 0.5)
  np.testing.assert_allclose(found.latents.position[0, 1], [1 / 4 - 1, 6 / 4 - 1, 5, -5])
  assert not found.latents.gestalt[0, 1].any() and found.latents.priority[0, 1, 0] == -5


def test_small_errors_say_nothing():
  places = np.asarray(call(error_at(6, 1, 0.05), surest=(0.0,) * SLOTS).latents.position[0, :, :2])
  assert not np.allclose(places, [1 / 4 - 1, 6 / 4 - 1])


def test_all_are_dead_before_there_is_a_mask():
  assert not call(error_at(0, 0), has=False).alive.any()


@pytest.mark.parametrize(
  ("permanence", "alive"),
  [(-1.0, [1, 0, 1]), (5.0, [1, 1, 1])],
  ids=["as seen now", "objects last"],
)
def test_belief_in_permanence(permanence, alive):
  found = call(error_at(0, 0), presence=0.9, permanence=permanence)
  np.testing.assert_array_equal(found.alive[0, :, 0], alive)
  assert found.permanence == pytest.approx(permanence + 1e-4, abs=1e-6)


def test_belief_does_not_grow_beyond_its_strength():
  assert call(error_at(0, 0), permanence=1.0, strength=0.5).permanence == 1.0
