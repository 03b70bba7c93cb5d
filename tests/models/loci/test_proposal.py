"""Proposals: clean-up of masks, targets, and the loss after matching."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from objectcentric_jax.models.loci import mask_cleanup, proposal
from objectcentric_jax.models.loci.proposing import largest_masks

SIDE = 24


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


def squares(*corners, side=5):
  """Masks [1, N, H, W, 1] of squares at these (row, column)."""
  masks = np.zeros((1, len(corners), SIDE, SIDE, 1), np.float32)
  for k, (row, column) in enumerate(corners):
    masks[0, k, row : row + side, column : column + side] = 1
  return jnp.asarray(masks)


def test_largest_component_is_that_of_scipy():
  noise = np.random.default_rng(0).uniform(size=(2, 3, SIDE, SIDE, 1)) < 0.45
  found = np.asarray(jax.jit(mask_cleanup.largest_component)(jnp.asarray(noise, jnp.float32)))
  for mask, largest in zip(
    noise.reshape(-1, SIDE, SIDE), found.reshape(-1, SIDE, SIDE), strict=True
  ):
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    np.testing.assert_array_equal(largest, labels == sizes.argmax())


def test_a_long_winding_mask_is_one_component():
  mask = np.zeros((1, 1, SIDE, SIDE, 1), np.float32)
  mask[0, 0, ::2] = 1
  mask[0, 0, 1::4, -1] = 1
  mask[0, 0, 3::4, 0] = 1
  np.testing.assert_array_equal(mask_cleanup.largest_component(jnp.asarray(mask)), mask)
  mask[0, 0, 11] = 0  # in two, of which the lower is larger
  assert not mask_cleanup.largest_component(jnp.asarray(mask))[0, 0, :12].any()


def test_gaps_are_filled_and_small_masks_dropped():
  masks = np.array(squares((5, 5), (13, 13), side=7))
  masks[0, 0, 8, 8] = 0
  masks[0, 1, 17:] = 0  # 4 rows are left
  found = mask_cleanup.without_small(mask_cleanup.closed(jnp.asarray(masks)))
  np.testing.assert_array_equal(found[0, 0], squares((5, 5), side=7)[0, 0])
  assert not found[0, 1].any()


def test_targets():
  depth = jnp.full((1, SIDE, SIDE, 1), 0.7)
  masks = squares((0, 0), (12, 12))
  published, signed = (proposal.proposal_targets(masks, depth, s) for s in (False, True))
  x = (2 * 2 / (SIDE - 1) - 1, 2 * 14 / (SIDE - 1) - 1)  # of the middles
  size = 5 / SIDE
  np.testing.assert_allclose(signed.position[0, 2, 3], [x[0], x[0], 0.7, size, 0], atol=1e-5)
  np.testing.assert_allclose(published.position[0, 2, 3], [0, 0, 0.7, size, 0], atol=1e-5)
  np.testing.assert_allclose(published.position[0, 14, 15], [x[1], x[1], 0.7, size, 0], atol=1e-5)
  np.testing.assert_array_equal(signed.foreground, masks.sum(1))


def test_images_without_depth_are_not_asked_for_it():
  wrong, right = jnp.ones((2, 4, 4, 5)), jnp.zeros((2, 4, 4, 5))
  depth = jnp.stack([jnp.ones((4, 4, 1)), -jnp.ones((4, 4, 1))])
  assert proposal.position_loss(wrong, right, None) == 1
  assert proposal.position_loss(wrong, right, depth) == pytest.approx((5 + 3) / 10)


@pytest.mark.parametrize("background_class", [True, False])
def test_right_masks_in_any_order_have_no_loss(background_class):
  masks = squares((0, 0), (12, 12), (0, 12))
  logits = 60 * (masks[:, jnp.array([2, 0, 1])] - 0.5)
  loss, iou = proposal.mask_loss(masks, logits, background_class)
  assert iou == pytest.approx(1.0, abs=1e-4)
  if background_class:
    assert loss == pytest.approx(0.0, abs=1e-4)
  else:  # pixels of no object count as those of the first
    assert loss > 0.5


def test_gradients_reach_every_logit_of_an_object():
  masks = squares((0, 0), (12, 12))
  noise = jnp.asarray(np.random.default_rng(0).normal(size=masks.shape), jnp.float32)
  gradient = jax.grad(lambda x: proposal.mask_loss(masks, x, True)[0])(noise)
  assert np.isfinite(gradient).all() and (np.abs(gradient[0]).max((1, 2, 3)) > 0).all()


def test_largest_first():
  masks = jnp.concatenate([squares((0, 0), side=2), squares((8, 8), side=9)], axis=1)
  place = jnp.arange(8.0).reshape(1, 2, 4)
  found, places = proposal.largest_first(masks, place, 3)
  np.testing.assert_array_equal(found.sum((2, 3, 4))[0], [81, 4, 0])
  np.testing.assert_array_equal(places[0], [[4, 5, 6, 7], [0, 1, 2, 3], [0, 0, 0, 0]])
  assert proposal.largest_first(masks, place, 1)[0].shape[1] == 1


def test_objects_of_labels():
  labels = np.zeros((1, SIDE, SIDE, 1), np.int32)
  labels[0, :2], labels[0, 5:10] = 4, 2
  found = largest_masks(jnp.asarray(labels), 3, jnp.float32)
  np.testing.assert_array_equal(found[0, 0], labels[0] == 2)
  np.testing.assert_array_equal(found[0, 1], labels[0] == 4)
  assert not found[0, 2].any()
