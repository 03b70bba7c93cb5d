"""Trainings that start from parts of earlier ones."""

import jax
import jax.numpy as jnp
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.loop import fit
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.phases import start_from
from objectcentric_jax.training.state import init_state
from tests.training import toy


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
  """A finished run: its folder and its last state."""
  workdir = tmp_path_factory.mktemp("earlier")
  return workdir, fit(toy.task(), toy.batches(), toy.config(), workdir, devices=Devices())


def fresh():
  updates = make_updates(toy.config()["train"]["updates"], ["error"])
  example = {"image": jnp.zeros((8, toy.SIDE, toy.SIDE, 3))}
  return Devices().place(
    lambda key: init_state(toy.task(), updates, key, example), jax.random.key(7)
  )


def source(workdir, parts):
  return [{"workdir": str(workdir), "best": False, "parts": parts}]


def test_takes_the_named_parts_and_no_others(earlier):
  workdir, last = earlier
  state = fresh()
  parts = {"params/encoder/": "params/encoder/", "model_state/average": "model_state/average"}
  started = start_from(state, source(workdir, parts))
  toy.assert_same(started.params["encoder"], last.params["encoder"])
  toy.assert_same(started.model_state["average"], last.model_state["average"])
  toy.assert_same(started.params["decoder"], state.params["decoder"])
  toy.assert_same(started.model_state["updates"], state.model_state["updates"])
  toy.assert_same(started.optimizers, state.optimizers)
  assert int(started.step) == 0 and int(last.step) == 6


def test_fit_starts_there_but_resumes_where_it_was(earlier, tmp_path):
  workdir, last = earlier
  config = toy.config(steps=1, start_from=source(workdir, {"params/": "params/"}))
  config["train"]["updates"][0]["groups"][""] = {"name": "sgd", "rate": 0.0}
  state = fit(toy.task(), toy.batches(), config, tmp_path, devices=Devices())
  toy.assert_same(state.params, last.params)
  (workdir / "checkpoints").rename(workdir / "away")  # a resumed run does not need it any more
  try:
    again = fit(toy.task(), toy.batches(), config, tmp_path, devices=Devices())
  finally:
    (workdir / "away").rename(workdir / "checkpoints")
  toy.assert_same(again, state)


@pytest.mark.parametrize(
  ("parts", "message"),
  [
    ({"params/encoder/": "params/decoder/"}, r"differ in names or shapes: kernel$"),
    ({"params/": "params/encoder/"}, "differ in names or shapes: decoder/kernel, encoder/kernel"),
    ({"params/encodre/": "params/encoder/"}, "no path of the model starts with 'params/encodre/'"),
    ({"params/encoder/": "params/stage/"}, "starts with 'params/stage/'; there are .*params/dec"),
  ],
)
def test_is_strict_on_both_sides(earlier, parts, message):
  with pytest.raises(InputError, match=message):
    start_from(fresh(), source(earlier[0], parts))


def test_a_run_without_checkpoint_is_named(tmp_path):
  with pytest.raises(InputError, match="nothing was trained or imported"):
    start_from(fresh(), source(tmp_path, {"params/": "params/"}))
