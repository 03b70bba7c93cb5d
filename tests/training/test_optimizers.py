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
    ([GOOD | {"groups": {"": {"name": "adam", "rate": 1.0, "beta3": 1.0}}}], "beta3"),
  ],
)
def test_unusable_updates_are_named(updates, words):
  with pytest.raises(InputError, match=f"^config.train.updates.*{words}"):
    make_updates(updates, ["error"])
