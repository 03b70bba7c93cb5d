"""Optimisers against PyTorch's formulas, written out in numpy; groups; clipping."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.training.optimizers import make_optimizer, make_updates, parameter_groups

RNG = np.random.default_rng(0)
START = RNG.standard_normal(5)
GRADIENTS = RNG.standard_normal((3, 5))
PARAMS = {
  "encoder": {"kernel": jnp.asarray([3.0, -4.0]), "bias": jnp.asarray([1.0])},
  "decoder": {"kernel": jnp.asarray([[2.0, -2.0]])},
}


def torch_rmsprop(x, gradients, rate, decay, epsilon):
  square = np.zeros_like(x)
  for g in gradients:
    square = decay * square + (1 - decay) * g * g
    x = x - rate * g / (np.sqrt(square) + epsilon)
  return x


def torch_rmsprop_with_momentum(x, gradients, rates, momentum, weight_decay):
  square, buffer = np.zeros_like(x), np.zeros_like(x)
  for g, rate in zip(gradients, rates, strict=True):
    g = g + weight_decay * x
    square = 0.99 * square + 0.01 * g * g
    buffer = momentum * buffer + g / (np.sqrt(square) + 1e-8)
    x = x - rate * buffer
  return x


def torch_adam(x, gradients, rates, beta1, beta2, epsilon):
  first, second = np.zeros_like(x), np.zeros_like(x)
  for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
    first = beta1 * first + (1 - beta1) * g
    second = beta2 * second + (1 - beta2) * g * g
    denominator = np.sqrt(second) / np.sqrt(1 - beta2**t) + epsilon
    x = x - rate / (1 - beta1**t) * first / denominator
  return x


def torch_sgd(x, gradients, rate, momentum):
  velocity = np.zeros_like(x)
  for g in gradients:
    velocity = momentum * velocity + g
    x = x - rate * velocity
  return x


@pytest.mark.parametrize(
  ("config", "expected"),
  [
    (
      {"name": "rmsprop", "rate": 1e-2, "decay": 0.9, "epsilon": 1e-2},
      torch_rmsprop(START, GRADIENTS, 1e-2, 0.9, 1e-2),
    ),
    ({"name": "rmsprop", "rate": 1e-2}, torch_rmsprop(START, GRADIENTS, 1e-2, 0.99, 1e-8)),
    (
      {
        "name": "rmsprop",
        "rate": {"kind": "piecewise", "values": (0.01, 0.002), "steps": (2,)},
        "momentum": 0.9,
        "weight_decay": 0.3,
      },
      torch_rmsprop_with_momentum(START, GRADIENTS, [0.01, 0.01, 0.002], 0.9, 0.3),
    ),
    (
      {"name": "sgd", "rate": 0.1, "clip_value": 0.2},
      torch_sgd(START, np.clip(GRADIENTS, -0.2, 0.2), 0.1, 0.0),
    ),
    (
      {"name": "adam", "rate": 0.1, "beta1": 0.5, "beta2": 0.8, "epsilon": 0.3},
      torch_adam(START, GRADIENTS, [0.1] * 3, 0.5, 0.8, 0.3),
    ),
    ({"name": "adam", "rate": 0.1}, torch_adam(START, GRADIENTS, [0.1] * 3, 0.9, 0.999, 1e-8)),
    (
      {"name": "adam", "rate": {"kind": "linear", "start": 0.3, "end": 0.0, "steps": 3}},
      torch_adam(START, GRADIENTS, [0.3, 0.2, 0.1], 0.9, 0.999, 1e-8),
    ),
    ({"name": "sgd", "rate": 0.1}, torch_sgd(START, GRADIENTS, 0.1, 0.0)),
    ({"name": "sgd", "rate": 0.1, "momentum": 0.9}, torch_sgd(START, GRADIENTS, 0.1, 0.9)),
    ({"name": "frozen"}, START),
  ],
)
def test_three_steps_follow_pytorch(config, expected):
  optimizer = make_optimizer(config)
  params = {"x": jnp.asarray(START, jnp.float32)}
  state, move = optimizer.init(params), jax.jit(optimizer.update)
  for gradient in GRADIENTS:
    deltas, state = move({"x": jnp.asarray(gradient, jnp.float32)}, state, params)
    params = optax.apply_updates(params, deltas)
  np.testing.assert_allclose(params["x"], expected, rtol=2e-5, atol=1e-5)


def test_muon_moves_every_direction_of_a_kernel_alike():
  """The first step of a kernel with singular values over a range of 100 has all of them near 1."""
  rng = np.random.default_rng(3)
  left, _ = np.linalg.qr(rng.standard_normal((12, 4)))
  right, _ = np.linalg.qr(rng.standard_normal((4, 4)))
  gradient = (left * [100.0, 30.0, 5.0, 1.0]) @ right.T
  kernel = {"x": jnp.zeros((2, 2, 3, 4), jnp.float32)}  # a convolution of 3 to 4 channels
  optimizer = make_optimizer({"name": "muon", "rate": 0.5})
  given = {"x": jnp.asarray(gradient.reshape(2, 2, 3, 4), jnp.float32)}
  delta, _ = jax.jit(optimizer.update)(given, optimizer.init(kernel), kernel)
  step = np.asarray(delta["x"]).reshape(12, 4) / -0.5
  along = np.linalg.svd(left.T @ step @ right, compute_uv=False)
  assert 0.3 < along.min() and along.max() < 1.3
  np.testing.assert_allclose(step, left @ (left.T @ step), atol=1e-3)  # nowhere else


def updated(groups, clip=0.0, gradients=None):
  """Parameters after one update, and its gradients as applied."""
  (update,) = make_updates([{"loss": "error", "clip": clip, "groups": groups}], ["error"])
  gradients = update.applied(
    jax.tree.map(jnp.ones_like, PARAMS) if gradients is None else gradients
  )
  deltas, _ = update.transformation.update(gradients, update.transformation.init(PARAMS), PARAMS)
  return optax.apply_updates(PARAMS, deltas), gradients


def test_groups_have_their_own_rates_and_frozen_ones_stay():
  groups = {
    "^encoder/kernel": {"name": "sgd", "rate": 0.5},
    "^decoder": {"name": "sgd", "rate": 0.25},
    "bias$": {"name": "frozen"},
  }
  params, gradients = updated(groups)
  np.testing.assert_array_equal(params["encoder"]["kernel"], [2.5, -4.5])
  np.testing.assert_array_equal(params["decoder"]["kernel"], [[1.75, -2.25]])
  np.testing.assert_array_equal(params["encoder"]["bias"], PARAMS["encoder"]["bias"])
  np.testing.assert_array_equal(gradients["encoder"]["bias"], [0.0])


def test_clip_limits_the_norm_of_what_is_applied():
  gradients = {
    "encoder": {"kernel": jnp.asarray([3.0, 4.0]), "bias": jnp.asarray([100.0])},
    "decoder": {"kernel": jnp.asarray([[0.0, 12.0]])},
  }
  moved, frozen = {"name": "sgd", "rate": 1.0}, {"name": "frozen"}
  groups = {"kernel": moved, "bias": frozen}
  params, _ = updated(groups, clip=6.5, gradients=gradients)  # of norm 13
  np.testing.assert_allclose(params["encoder"]["kernel"], [3 - 1.5, -4 - 2.0], rtol=1e-6)
  np.testing.assert_allclose(params["decoder"]["kernel"], [[2.0, -2 - 6.0]], rtol=1e-6)
  params, _ = updated(groups, clip=13.5, gradients=gradients)
  np.testing.assert_allclose(params["encoder"]["kernel"], [0.0, -8.0], rtol=1e-6)


@pytest.mark.parametrize(
  ("patterns", "words"),
  [
    (["encoder"], "decoder/kernel must match one group, not none"),
    (["encoder", "coder/kernel"], "encoder/kernel must match one group, not encoder and coder/k"),
    (["", "background"], "must match|'background' matches no parameter"),
    (["coder", "background"], "'background' matches no parameter"),
  ],
)
def test_every_parameter_has_one_group_and_every_group_parameters(patterns, words):
  with pytest.raises(InputError, match=words):
    parameter_groups(patterns, PARAMS)


GOOD = {"loss": "error", "clip": 0.0, "groups": {"": {"name": "sgd", "rate": 1.0}}}


@pytest.mark.parametrize(
  ("updates", "words"),
  [
    ([], "is empty"),
    ([GOOD | {"loss": "errror"}], "no loss 'errror'.*error"),
    ([GOOD | {"loss": "foo"}], "no loss 'foo'.*it has error"),
    ([GOOD | {"clop": 1}], "clop"),
    ([{"loss": "error", "groups": GOOD["groups"]}], "lacks clip"),
    ([GOOD | {"groups": {"": {"name": "adm", "rate": 1.0}}}], "'adm'.*adam"),
    ([GOOD | {"groups": {"": {"name": "adam"}}}], "needs a rate"),
    ([GOOD | {"groups": {"": {"name": "muon", "rate": 1.0, "beta": 1.0}}}], "beta"),
    ([GOOD | {"groups": {"": {"name": "adam", "rate": 1.0, "beta3": 1.0}}}], "beta3"),
  ],
)
def test_unusable_updates_are_named(updates, words):
  with pytest.raises(InputError, match=f"^config.train.updates.*{words}"):
    make_updates(updates, ["error"])


def published_ranger(x, gradients, rate, decay, period=6, share=0.5, beta1=0.9, beta2=0.999):
  """Step by step in float64; a gradient of None is none at all."""
  limit = 2 / (1 - beta2) - 1
  mean, square, slow, t, after = np.zeros_like(x), np.zeros_like(x), None, 0, []
  for step, g in enumerate(gradients, start=1):
    if g is not None:
      t += 1
      mean, square = beta1 * mean + (1 - beta1) * g, beta2 * square + (1 - beta2) * g * g
      length = limit - 2 * t * beta2**t / (1 - beta2**t)
      if length >= 5:
        variance = (length - 4) / (limit - 4) * (length - 2) / length * limit / (limit - 2)
        size = np.sqrt((1 - beta2**t) * variance) / (1 - beta1**t)
        x = x - decay * rate * x - rate * size * mean / (np.sqrt(square) + 1e-16)
      if step % period == 0:
        slow = x if slow is None else slow + share * (x - slow)
        x = slow
    after.append(x)
  return np.stack(after)


@pytest.mark.parametrize("absent", [(), (2, 5, 11)], ids=["always", "with gaps"])
def test_ranger(absent):
  """Parameters whose gradient is zero in every entry are left out, decay and count included."""
  gradients = np.random.default_rng(1).standard_normal((20, 5)).astype(np.float32)
  given = [None if i in absent else g for i, g in enumerate(gradients)]
  expected = published_ranger(START, given, 1e-2, 0.1)
  gradients[list(absent)] = 0
  optimizer = make_optimizer({"name": "ranger", "rate": 1e-2, "weight_decay": 0.1})

  def step(carry, gradient):
    params, state = carry
    deltas, state = optimizer.update({"x": gradient}, state, params)
    params = optax.apply_updates(params, deltas)
    return (params, state), params["x"]

  params = {"x": jnp.asarray(START, jnp.float32)}
  start = (params, optimizer.init(params))
  found = jax.jit(lambda start: jax.lax.scan(step, start, jnp.asarray(gradients)))(start)[1]
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(found[0], START.astype(np.float32))  # not defined so early
