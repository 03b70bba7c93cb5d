"""GECO's formulas, one step at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.losses.geco import geco_start, geco_step, geco_update

SETTINGS = dict(goal=10.0, step_size=0.1, decay=0.9, speedup=10.0, minimum=1e-3, maximum=1e3)


def run(errors, **changes):
  """States after each error."""
  geco, states = geco_start(2.0), []
  for error in errors:
    geco = geco_update(geco, jnp.asarray(error, jnp.float32), **SETTINGS | changes)
    states.append(geco)
  return states


def test_the_average_starts_at_the_first_error():
  first, second = run([12.0, 22.0])
  assert float(first.error_average) == 12.0 and int(first.updates) == 1
  assert float(second.error_average) == pytest.approx(0.1 * 22 + 0.9 * 12) and second.updates == 2


def test_a_missed_goal_shrinks_the_multiplier_slowly():
  (state,) = run([12.0])
  assert float(state.multiplier) == pytest.approx(2 * np.exp(0.1 * -2))


@pytest.mark.parametrize("speedup, speed", [(10.0, 10), (None, 1), (3.0, 3)])
def test_a_met_goal_grows_the_multiplier_at_its_speed(speedup, speed):
  (state,) = run([9.5], speedup=speedup)
  assert float(state.multiplier) == pytest.approx(2 * np.exp(speed * 0.1 * 0.5), rel=1e-6)


@pytest.mark.parametrize("error, bound", [(1e6, 1e-3), (-1e6, 1e3)])
def test_the_multiplier_stays_in_its_bounds(error, bound):
  (state,) = run([error])
  assert float(state.multiplier) == pytest.approx(bound)


def test_no_gradient_passes():
  def multiplier(error):
    return geco_update(geco_start(), error, **SETTINGS).multiplier

  assert float(jax.grad(multiplier)(jnp.asarray(3.0))) == 0.0


def test_the_state_keeps_its_types():
  """Else a step would be compiled twice, or not fit its checkpoint."""
  with jax.enable_x64(True):
    start = geco_start(1.0)
    after = geco_update(start, jnp.asarray(3.0, jnp.float64), **SETTINGS)
    types = [jax.tree.map(lambda x: x.dtype, state) for state in (start, after)]
  assert types[0] == types[1]


@pytest.mark.parametrize("shape", [(64, 64, 3), (32, 32, 3), (16, 48, 1)])
def test_settings_do_not_depend_on_the_size_of_images(shape):
  """The goal is in nats a value; the step size is that of 64 x 64 pixels."""
  height, width, channels = shape
  settings = dict(goal=0.5, rate=1e-4, decay=0.9, start=1.0, minimum=1e-3, speedup=10.0)
  values = height * width * channels
  after = geco_step(geco_start(2.0), jnp.asarray(0.6 * values), settings, shape)
  slack = (0.5 - 0.6) * values
  expected = 2 * np.exp(1e-4 * 64**2 / (height * width) * slack)
  assert float(after.multiplier) == pytest.approx(expected, rel=1e-5)
  assert float(after.error_average) == pytest.approx(0.6 * values)
