"""Schedules against their closed forms, inside a compiled function."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.training.schedules import make_schedule, make_schedules


def half_cosine(step):
  if step < 10:
    return 2.0 * step / 10
  share = min((step - 10) / 30, 1.0)
  return 0.5 + (2.0 - 0.5) * (1 + math.cos(math.pi * share)) / 2


FORMULAS = {
  "number": (0.25, lambda step: 0.25),
  "constant": ({"kind": "constant", "value": 3}, lambda step: 3.0),
  "linear": (
    {"kind": "linear", "start": 1.0, "end": -1.0, "steps": 8, "begin": 5},
    lambda step: 1.0 - 2.0 * min(max(step - 5, 0) / 8, 1.0),
  ),
  "exponential": (
    {"kind": "exponential", "start": 2.0, "rate": 0.5, "steps": 10, "begin": 3},
    lambda step: 2.0 * 0.5 ** (max(step - 3, 0) / 10),
  ),
  "exponential_to_an_end": (
    {"kind": "exponential", "start": 2.0, "rate": 0.5, "steps": 10, "end": 0.7},
    lambda step: max(2.0 * 0.5 ** (step / 10), 0.7),
  ),
  "periodic": (
    {"kind": "periodic", "value": 3.0, "period": 10, "first": 9, "also": (0,)},
    lambda step: 3.0 if step == 0 or step % 10 == 9 else 0.0,
  ),
  "cosine": ({"kind": "cosine", "peak": 2.0, "steps": 40, "warmup": 10, "end": 0.5}, half_cosine),
  "piecewise": (
    {"kind": "piecewise", "values": [1.0, 0.5, 0.0], "steps": [4, 20]},
    lambda step: 1.0 if step < 4 else 0.5 if step < 20 else 0.0,
  ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_follows_its_formula(name):
  config, formula = FORMULAS[name]
  schedule = jax.jit(make_schedule(name, config))
  for step in (0, 1, 3, 4, 5, 6, 9, 10, 13, 19, 20, 25, 40, 41, 1000):
    found = schedule(jnp.asarray(step, jnp.int32))
    assert found.shape == () and found.dtype == jnp.float32
    np.testing.assert_allclose(found, formula(step), rtol=1e-6, atol=1e-6, err_msg=str(step))


def test_cosine_without_warmup_starts_at_its_peak():
  schedule = make_schedule("rate", {"kind": "cosine", "peak": 2.0, "steps": 4})
  np.testing.assert_allclose([schedule(i) for i in (0, 2, 4)], [2.0, 1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(
  ("config", "words"),
  [
    ({"kind": "linaer", "start": 0.0}, ["'linaer'", "linear"]),
    ({"start": 0.0}, ["None", "linear"]),
    ({"kind": "linear", "start": 0.0, "end": 1.0}, ["steps"]),
    ({"kind": "linear", "start": 0.0, "end": 1.0, "steps": 0}, ["steps is 0"]),
    ({"kind": "exponential", "start": 1.0, "rate": 0.5, "steps": -1}, ["steps is -1"]),
    ({"kind": "exponential", "start": 1.0, "rate": 0.0, "steps": 5}, ["rate is 0.0"]),
    ({"kind": "cosine", "peak": 1.0, "steps": 5, "warmup": 5}, ["positive"]),
    ({"kind": "piecewise", "values": [1.0], "steps": [3]}, ["1 and 1"]),
    ({"kind": "constant", "value": 1.0, "speed": 2}, ["speed"]),
    ({"kind": "periodic", "value": 1.0, "period": 0}, ["period is 0"]),
  ],
)
def test_unusable_settings_name_the_schedule(config, words):
  with pytest.raises(InputError, match="^schedule beta: ") as caught:
    make_schedules({"beta": config})
  for word in words:
    assert word in str(caught.value)
