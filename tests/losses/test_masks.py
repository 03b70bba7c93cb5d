"""Maths of mask stacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.losses.masks import (
  mask_kl,
  mask_report,
  stick_breaking,
  straight_through_clip,
)


def stacks():
  rng = np.random.default_rng(0)
  logits = rng.standard_normal((2, 2, 5, 3, 4, 1)).astype(np.float32) * 5
  return [np.asarray(jax.nn.softmax(part, axis=1)) for part in logits]


def test_clipping_passes_the_gradient():
  x = jnp.asarray([-1.0, 0.3, 2.0])
  value, gradient = jax.vmap(jax.value_and_grad(lambda v: straight_through_clip(v, 0.1, 0.9)))(x)
  np.testing.assert_allclose(value, [0.1, 0.3, 0.9], atol=1e-7)
  np.testing.assert_array_equal(gradient, np.ones(3))


def test_mask_kl_equals_its_formula():
  masks, other = stacks()

  def categorical(stack):
    stack = np.maximum(stack.astype(np.float64), 1e-5)
    return stack / stack.sum(1, keepdims=True)

  p, q = categorical(masks), categorical(other)
  expected = (p * np.log(p / q)).sum((1, 2, 3, 4))
  found = mask_kl(jnp.asarray(masks), jnp.asarray(other))
  assert found.shape == (2,)
  np.testing.assert_allclose(found, expected, rtol=2e-5)
  assert (expected > 0.1).all()
  np.testing.assert_array_equal(mask_kl(jnp.asarray(masks), jnp.asarray(masks)), np.zeros(2))


@pytest.mark.parametrize("argument", [0, 1])
def test_exactly_the_masks_below_the_floor_get_no_gradient(argument):
  pair = [jnp.asarray(stack) for stack in stacks()]
  gradient = jax.grad(lambda *pair: mask_kl(*pair).sum(), argument)(*pair)
  below = np.asarray(pair[argument]) < 1e-5
  assert below.any() and not below.all()
  np.testing.assert_array_equal(np.asarray(gradient) == 0, below)


def test_hard_masks_give_a_finite_divergence():
  one = jnp.zeros((1, 2, 3, 3, 1)).at[:, 0].set(1.0)
  found = float(mask_kl(one, one[:, ::-1])[0])
  assert found == pytest.approx(9 * np.log(1e5), rel=1e-3)


def test_report_names_collapse():
  masks = np.zeros((2, 4, 10, 10, 1), np.float32)
  masks[0, 0] = 1.0  # one component takes the first image
  masks[1, :2, :5], masks[1, 2, 5:], masks[1, 3, 9, 9] = 0.5, 1.0, 1.0
  masks[1, 2, 9, 9] = 0.0  # the last component has exactly 1 % of the second
  report = mask_report(jnp.asarray(masks))
  assert float(report["active_components"]) == (1 + 4) / 2
  assert float(report["largest_share"]) == pytest.approx((1 + 0.49) / 2)
  shares = {name: float(value) for name, value in report.items() if name.startswith("share/")}
  expected = {"share/1": (1 + 0.25) / 2, "share/2": 0.125, "share/3": 0.245, "share/4": 0.005}
  assert shares == pytest.approx(expected)


def stick_logits(slots: int = 5):
  shape = (2, slots, 3, 4, 1)
  return np.random.default_rng(1).standard_normal(shape).astype(np.float32) * 2


def test_stick_breaking_gives_each_component_a_share_of_what_is_left():
  logits = stick_logits()
  log_masks, log_scope = stick_breaking(jnp.asarray(logits))
  assert log_masks.shape == logits.shape and log_scope.shape == (2, 6, 3, 4, 1)
  left, share = np.ones((2, 3, 4, 1)), 1 / (1 + np.exp(-logits.astype(np.float64)))
  for k in range(5):
    np.testing.assert_allclose(np.exp(log_scope[:, k]), left, atol=1e-6)
    taken = left if k == 4 else left * share[:, k]  # the last takes what is left
    np.testing.assert_allclose(np.exp(log_masks[:, k]), taken, atol=1e-6)
    left = left * (1 - share[:, k])
  np.testing.assert_allclose(np.exp(log_scope[:, 5]), left, atol=1e-6)
  np.testing.assert_allclose(jnp.exp(log_masks).sum(1), 1, atol=1e-6)


def test_stick_breaking_does_not_use_the_last_logit():
  logits = jnp.asarray(stick_logits())
  changed = logits.at[:, -1].add(3.0)
  for before, after in zip(stick_breaking(logits), stick_breaking(changed), strict=True):
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
  gradient = jax.grad(lambda x: (stick_breaking(x)[0] * logits).sum())(logits)
  np.testing.assert_array_equal(gradient[:, -1], 0)
  assert (np.abs(gradient[:, :-1]) > 0).all()


def test_stick_breaking_stays_finite_where_probabilities_vanish():
  logits = jnp.full((1, 3, 1, 1, 1), 200.0)
  log_masks, _ = stick_breaking(logits)
  np.testing.assert_allclose(log_masks[0, :, 0, 0, 0], [0, -200, -400], atol=1e-4)


def test_stick_breaking_of_one_component():
  log_masks, log_scope = stick_breaking(jnp.asarray(stick_logits(1)))
  np.testing.assert_array_equal(log_masks, np.zeros((2, 1, 3, 4, 1)))
  assert log_scope.shape == (2, 2, 3, 4, 1)
