"""Suppression of duplicates against a plain loop."""

import jax
import numpy as np
import pytest

from objectcentric_jax.metrics.suppression import suppress_duplicates
from objectcentric_jax.scene import Scene
from tests.metrics.test_average_precision import overlap


def plainly(boxes, presence, limit):
  """Indices of the boxes (centre, size) that stay, surest first."""
  corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
  kept = []
  for n in sorted(range(len(boxes)), key=lambda n: -presence[n]):
    if all(overlap(corners[n], corners[other]) <= limit for other in kept):
      kept.append(n)
  return kept


@pytest.mark.parametrize("limit", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("lead", [(4,), (2, 3)])
def test_as_a_plain_loop(lead, limit):
  rng = np.random.default_rng(0)
  boxes = np.concatenate(
    [rng.uniform(0.4, 0.6, (*lead, 9, 2)), rng.uniform(0.2, 0.4, (*lead, 9, 2))], -1
  )
  presence = rng.integers(1, 5, (*lead, 9)) / 4  # many are equal
  scene = Scene(image=None, boxes=boxes.astype(np.float32), presence=presence.astype(np.float32))
  found = jax.jit(suppress_duplicates, static_argnums=1)(scene, limit)
  count = 0
  for place in np.ndindex(*lead):
    kept = plainly(boxes[place], presence[place], limit)
    expected = np.where(np.isin(np.arange(9), kept), presence[place], 0)
    np.testing.assert_array_equal(found.presence[place], expected)
    count += len(kept)
  assert 0 < count < presence.size
  np.testing.assert_array_equal(found.boxes, scene.boxes)


def test_what_is_suppressed_suppresses_nothing():
  """Three boxes in a row: the second overlaps both others, which do not overlap each other."""
  boxes = np.array([[0.5, x, 0.2, 0.2] for x in (0.3, 0.4, 0.5)], np.float32)[None]
  scene = Scene(image=None, boxes=boxes, presence=np.array([[0.9, 0.8, 0.7]], np.float32))
  assert suppress_duplicates(scene, 0.3).presence[0].tolist() == pytest.approx([0.9, 0, 0.7])
  assert (suppress_duplicates(scene, 0.34).presence == scene.presence).all()
