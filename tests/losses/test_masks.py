"""Maths of mask stacks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.losses.masks import mask_kl, mask_report, straight_through_clip


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
