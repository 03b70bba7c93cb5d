"""The train step: several updates, reports, donation, and pmap against jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.training.devices import AXIS, Devices
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import init_state
from objectcentric_jax.training.step import make_train_step
from tests.training import toy

SGD = {"name": "sgd", "rate": 0.1}
ALONE = [{"loss": "error", "clip": 0.0, "groups": {"": {"name": "sgd", "rate": 0.1}}}]
TWO = [
  {"loss": "error", "clip": 0.0, "groups": {"encoder": SGD, "decoder": {"name": "frozen"}}},
  {"loss": "size", "clip": 0.0, "groups": {"decoder": SGD, "encoder": {"name": "frozen"}}},
]
PARTS = ["gradient_norm/decoder", "gradient_norm/encoder", "gradient_norm"]


def prepared(updates, schedules=None, parallel="jit", noise=0.0):
  """Compiled step, state and batch."""
  devices, task = Devices(), toy.task(parallel, noise)
  updates = make_updates(updates, list(task.losses))
  axis_name = AXIS if parallel == "pmap" else None
  step = make_train_step(task, updates, make_schedules(schedules or {}), axis_name)
  batch = toy.batch()
  example = {"image": jnp.asarray(batch["image"][:1], jnp.float32)}
  state = devices.place(lambda key: init_state(task, updates, key, example), jax.random.key(0))
  return devices.compile_step(step, parallel, state), state, devices.put(batch)


def test_two_updates_take_turns_on_their_own_parameters():
  step, state, batch = prepared(TWO)
  before = jax.device_get(state.params)
  images = jnp.asarray(toy.batch()["image"] / np.float32(255))
  task = toy.task()
  fresh, key = {"average": 0.0, "updates": 0}, jax.random.key(0)
  first = jax.grad(lambda p: task.error(p, fresh, {"image": images}, {}, key)[0])(before)
  state, report = step(state, batch)
  after = jax.device_get(state.params)
  expected = before["encoder"]["kernel"] - 0.1 * first["encoder"]["kernel"]
  np.testing.assert_allclose(after["encoder"]["kernel"], expected, rtol=1e-5, atol=1e-7)
  # The second loss has the gradient 2 x / count, and must not move the encoder.
  decoder = before["decoder"]["kernel"]
  shrunk = decoder * (1 - 0.2 / decoder.size)
  np.testing.assert_allclose(after["decoder"]["kernel"], shrunk, rtol=1e-6)
  # It sees the encoder as the first update left it.
  squares = sum((leaf**2).mean() for leaf in (expected, decoder))
  np.testing.assert_allclose(report["size/squares"], squares, rtol=1e-5)


def test_the_report_is_in_the_order_of_the_step():
  step, state, batch = prepared(TWO, {"zeta": 1.0, "level": 2.0})
  state, report = step(state, batch)
  assert list(report) == [
    *("zeta", "level"),
    *("error/reconstruction", "error/penalty", "error/elbo", "error/loss"),
    *(f"error/{name}" for name in PARTS),
    *("size/squares", "size/loss"),
    *(f"size/{name}" for name in PARTS),
    "parameter_norm",
  ]
  assert all(value.shape == () for value in report.values())
  np.testing.assert_allclose(report["error/penalty"], np.log(2), rtol=1e-6)
  assert report["error/gradient_norm/decoder"] == 0  # of what is applied
  np.testing.assert_array_equal(
    report["error/gradient_norm"], report["error/gradient_norm/encoder"]
  )


def test_one_update_reports_without_prefix():
  step, state, batch = prepared(ALONE)
  _, report = step(state, batch)
  names = ["reconstruction", "penalty", "elbo", "loss", *PARTS, "parameter_norm"]
  assert list(report) == names
  parts = np.hypot(report["gradient_norm/encoder"], report["gradient_norm/decoder"])
  np.testing.assert_allclose(report["gradient_norm"], parts, rtol=1e-6)


def test_the_state_counts_steps_and_keeps_its_key():
  step, state, batch = prepared(ALONE, noise=1.0)
  key = jax.random.key_data(state.rng).tolist()
  errors = []
  for _ in range(3):
    state, report = step(state, batch)
    errors.append(float(report["reconstruction"]))
  assert int(state.step) == 3 and int(state.model_state["updates"]) == 3
  assert jax.random.key_data(state.rng).tolist() == key
  assert len(set(errors)) == 3  # every step draws noise of its own


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_the_old_state_is_given_up(parallel):
  step, state, batch = prepared(ALONE, parallel=parallel)
  new, _ = step(state, batch)
  newer, _ = step(new, batch)
  assert new.params["encoder"]["kernel"].is_deleted()
  assert not batch["image"].is_deleted() and not newer.params["encoder"]["kernel"].is_deleted()


def test_pmap_equals_jit():
  results = {}
  for parallel in ("jit", "pmap"):
    step, state, batch = prepared(TWO, {"level": 2.0}, parallel)
    reports = []
    for _ in range(3):
      state, report = step(state, batch)
      reports.append(report)
    results[parallel] = jax.device_get((state.params, state.model_state, reports))
  jax.tree.map(
    lambda found, expected: np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8),
    results["pmap"],
    results["jit"],
  )


def test_frozen_parameters_stay_to_the_bit():
  frozen = {"encoder": SGD, "decoder": {"name": "frozen"}}
  step, state, batch = prepared([{"loss": "error", "clip": 1.0, "groups": frozen}])
  before = jax.device_get(state.params)
  for _ in range(3):
    state, _ = step(state, batch)
  np.testing.assert_array_equal(state.params["decoder"]["kernel"], before["decoder"]["kernel"])
  assert (np.asarray(state.params["encoder"]["kernel"]) != before["encoder"]["kernel"]).any()


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_an_update_is_left_out_where_its_schedule_is_not_above_zero(parallel):
  """Parameters and optimiser stay to the bit, as if the update were not there."""
  momentum = SGD | {"momentum": 0.9}
  groups = {"decoder": momentum, "encoder": {"name": "frozen"}}
  updates = [TWO[0], {"loss": "size", "clip": 0.0, "groups": groups, "when": "due"}]
  due = {"kind": "periodic", "value": 5.0, "period": 3, "first": 2}
  step, state, batch = prepared(updates, {"due": due}, parallel)
  for number in range(4):
    before = jax.device_get((state.params["decoder"], state.optimizers[1]))
    state, report = step(state, batch)
    after = jax.device_get((state.params["decoder"], state.optimizers[1]))
    moved = [(a != b).any() for a, b in zip(*map(jax.tree.leaves, (after, before)), strict=True)]
    assert all(moved) if number == 2 else not any(moved)
    assert (report["size/loss"] > 0) == (number == 2) and report["error/loss"] > 0
