"""Which of two overlapping objects is in front."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.metrics.ordering import ordering_accuracy, overlaps

SIDE = 8


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


def scene():
  """Three objects: the second is behind the first in 6 pixels, the third in 2 behind the second."""
  amodal = np.zeros((1, 1, 3, SIDE, SIDE, 1), np.float32)
  amodal[0, 0, 0, :3, :4] = 1
  amodal[0, 0, 1, 1:6, 1:4] = 1
  amodal[0, 0, 2, 5:, 2:8] = 1
  labels = np.zeros((1, 1, SIDE, SIDE, 1), np.int32)
  for k in (2, 1, 0):  # from the back
    labels[amodal[:, :, k] > 0] = k + 1
  return labels, amodal


def accuracy(masks, matched=None):
  labels, amodal = scene()
  found = jax.device_get(overlaps(jnp.asarray(labels), jnp.asarray(amodal), jnp.asarray(masks)))
  matched = np.eye(3)[None] if matched is None else matched
  return ordering_accuracy(found["seen"][:, 0], found["claimed"][:, 0], matched)[0]


def masks_of(labels):
  numbers = np.arange(1, 4).reshape(1, 1, -1, 1, 1, 1)
  return (labels[:, :, None] == numbers).astype(np.float32)


def test_right_and_wrong_orders():
  labels, amodal = scene()
  assert accuracy(masks_of(labels)) == 1
  behind = np.zeros_like(labels)
  for k in (0, 1, 2):
    behind[amodal[:, :, k] > 0] = k + 1
  assert accuracy(masks_of(behind)) == 0


def test_pairs_count_by_their_overlap():
  labels, amodal = scene()
  wrong = labels.copy()
  wrong[(amodal[:, :, 1] > 0) & (amodal[:, :, 2] > 0)] = 3  # 2 of 8 pixels
  assert accuracy(masks_of(wrong)) == pytest.approx(6 / 8)


def test_slots_in_another_order():
  labels, _ = scene()
  masks = masks_of(labels)[:, :, [2, 0, 1]]
  assert accuracy(masks, np.eye(3)[None, :, [2, 0, 1]]) == 1


def test_objects_without_a_slot_are_behind():
  labels, _ = scene()
  matched = np.eye(3)[None]
  matched[0, 0] = 0
  assert accuracy(masks_of(labels), matched) == pytest.approx(2 / 8)


def test_nothing_overlaps():
  labels, amodal = scene()
  amodal = amodal * masks_of(labels)
  found = jax.device_get(
    overlaps(jnp.asarray(labels), jnp.asarray(amodal), jnp.asarray(masks_of(labels)))
  )
  assert np.isnan(ordering_accuracy(found["seen"][:, 0], found["claimed"][:, 0], np.eye(3)[None]))
