"""Overlap of masks by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.metrics.mask_overlap import (
  boundary,
  boundary_f,
  dice,
  jaccard,
  object_mask,
  overlap_metrics,
)
from objectcentric_jax.scene import Scene

SIDE = 12


def square(top, left, size, value=1.0):
  mask = np.zeros((1, SIDE, SIDE, 1), np.float32)
  mask[:, top : top + size, left : left + size] = value
  return jnp.asarray(mask)


EMPTY = square(0, 0, 0)


def test_dice_and_jaccard_of_squares_that_share_a_half():
  a, b = square(0, 0, 4), square(0, 2, 4)
  np.testing.assert_allclose(dice(a, b), [0.5], atol=1e-5)
  np.testing.assert_allclose(jaccard(a, b), [1 / 3], rtol=1e-6)


def test_dice_takes_soft_borders_as_they_are_and_jaccard_as_whole():
  a, soft = square(0, 0, 4), square(0, 0, 4, 0.5)
  np.testing.assert_allclose(dice(a, soft), [2 * 8 / 24], atol=1e-5)
  np.testing.assert_allclose(jaccard(a, soft), [1.0])


def test_two_empty_masks_agree_and_one_does_not():
  for score in (dice, jaccard, boundary_f):
    assert float(score(EMPTY, EMPTY)[0]) == 1.0
    assert float(score(EMPTY, square(2, 2, 4))[0]) < 1e-4
    assert float(score(square(2, 2, 4), EMPTY)[0]) < 1e-4


def test_jaccard_of_a_batch_as_a_whole_is_not_the_mean():
  a = jnp.concatenate([square(0, 0, 2), square(0, 0, 8)])
  b = jnp.concatenate([square(4, 4, 2), square(0, 0, 8)])
  np.testing.assert_allclose(jaccard(a, b, (0, 1, 2, 3)), 64 / 72, rtol=1e-6)
  np.testing.assert_allclose(jaccard(a, b).mean(), 0.5)


def test_the_boundary_is_where_right_or_lower_neighbours_differ():
  found = np.asarray(boundary(square(3, 3, 2)[..., 0]))[0]
  expected = np.zeros((SIDE, SIDE), bool)
  expected[2:5, 2:5] = True
  expected[3, 3] = False  # its right, lower and lower right neighbours are inside, too
  np.testing.assert_array_equal(found, expected)
  corner = np.asarray(boundary(square(SIDE - 1, SIDE - 1, 1)[..., 0]))[0]
  assert corner.sum() == 3 and not corner[-1, -1]


@pytest.mark.parametrize(("tolerance", "agrees"), [(1, False), (2, True), (0.1, True)])
def test_boundaries_match_within_the_tolerance(tolerance, agrees):
  """A tenth of the diagonal of 12 pixels is 1.7, rounded up."""
  score = float(boundary_f(square(2, 2, 5), square(4, 2, 5), tolerance)[0])
  assert (score == 1.0) == agrees and score > 0


def test_scores_of_a_scene():
  inside = 0.8 * square(0, 0, 4) + 0.1
  scene = Scene(image=None, masks=jnp.stack([1 - inside, inside], axis=1))
  found = overlap_metrics(scene, {"mask": square(0, 2, 4)})
  assert set(found) == {"dice", "iou", "boundary_f", "j_and_f"}
  np.testing.assert_allclose(found["iou"], [1 / 3], rtol=1e-6)
  np.testing.assert_allclose(found["j_and_f"], (found["iou"] + found["boundary_f"]) / 2)


def test_the_true_mask_comes_from_what_the_batch_has():
  ids = (square(0, 0, 4) * 7).astype(jnp.uint8)
  for batch in (
    {"segmentation": ids},
    {"segmentation": 0 * ids, "masks": square(0, 0, 4)[:, None]},
    {"segmentation": 0 * ids, "masks": square(1, 1, 1)[:, None], "mask": square(0, 0, 4)},
  ):
    np.testing.assert_array_equal(object_mask(batch), square(0, 0, 4))
