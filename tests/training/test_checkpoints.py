"""Checkpoints: everything comes back, nothing half written or from elsewhere does."""

import json
import os

import jax
import jax.numpy as jnp
import optax
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.training.checkpoints import (
  Checkpoints,
  read_config,
  restore_model,
  write_config,
)
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.state import TrainState
from tests.training import toy

POSITION = {"next_index": 7, "workers": [{"last": 3}]}


def make_state(step: int, scale: float = 1.0, size: int = 3) -> TrainState:
  def make(key):
    params = {"layer": {"kernel": scale * jax.random.normal(key, (size, 2)), "gate": jnp.ones(())}}
    model_state = {"average": jnp.float32(0.5 * scale), "updates": jnp.int32(step)}
    optimizers = (optax.adam(1.0).init(params), optax.sgd(1.0, 0.9).init(params))
    return TrainState(jnp.int32(step), params, model_state, optimizers, jax.random.key(3))

  return Devices().place(make, jax.random.key(step))


@pytest.fixture
def open_checkpoints(tmp_path):
  opened = []

  def open_one(metric="score", keep=2):
    opened.append(Checkpoints(tmp_path, toy.config(), metric, keep))
    return opened[-1]

  yield open_one
  for checkpoints in opened:
    checkpoints.close()


def model_of(state):
  return {"params": state.params, "model_state": state.model_state}


def test_a_state_comes_back_to_the_bit(open_checkpoints):
  state = make_state(5)
  assert open_checkpoints().restore(make_state(0)) is None
  checkpoints = open_checkpoints()
  checkpoints.save(state, POSITION)
  checkpoints.wait()
  restored, notes = open_checkpoints().restore(make_state(0))
  toy.assert_same(restored, state)
  assert jax.tree.structure(restored) == jax.tree.structure(state)
  assert notes == {"iterator": POSITION, "finished": False}
  assert all(leaf.sharding == state.step.sharding for leaf in jax.tree.leaves(restored))


def test_a_model_comes_without_what_is_carried_even_if_there_is_nothing_else(
  tmp_path, open_checkpoints
):
  state = make_state(5)
  checkpoints = open_checkpoints()
  checkpoints.save(state.replace(model_state={"carry": {"memory": jnp.ones(2)}}), POSITION)
  checkpoints.wait()
  model, step = restore_model(tmp_path, {"params": make_state(0).params, "model_state": {}})
  toy.assert_same(model, {"params": state.params, "model_state": {}})
  assert step == 5


def test_the_last_ones_are_kept_and_what_a_kill_left_is_ignored(open_checkpoints, tmp_path):
  checkpoints = open_checkpoints(keep=2)
  for step in (1, 2, 3):
    checkpoints.save(make_state(step), POSITION)
  checkpoints.wait()
  folder = tmp_path / "checkpoints"
  assert sorted(path.name for path in folder.iterdir()) == ["2", "3"]
  half_written = folder / "4.orbax-checkpoint-tmp"
  (half_written / "state").mkdir(parents=True)
  (half_written / "state" / "manifest.ocdbt").write_bytes(b"half")
  restored, _ = open_checkpoints().restore(make_state(0))
  assert int(restored.step) == 3
  assert restore_model(tmp_path, model_of(make_state(0)))[1] == 3


@pytest.mark.parametrize(("metric", "best"), [("score", 2), ("-score", 3)])
def test_the_best_one_is_kept(open_checkpoints, tmp_path, metric, best):
  checkpoints = open_checkpoints(metric)
  for step, score in ((1, 0.5), (2, 0.9), (3, -0.1), (4, 0.7)):
    checkpoints.save_best(make_state(step), {"score": score, "other": -step})
  checkpoints.wait()
  assert [path.name for path in (tmp_path / "best").iterdir()] == [str(best)]
  model, step = restore_model(tmp_path, model_of(make_state(0)), best=True)
  assert step == best
  toy.assert_same(model, model_of(make_state(best)))


def test_an_unknown_metric_is_named(open_checkpoints):
  with pytest.raises(InputError, match="'-scor', which is not a score; use one of ari, fg_ari"):
    open_checkpoints("-scor").save_best(make_state(1), {"ari": 0.0, "fg_ari": 1.0})


def test_steps_that_reuse_the_memory_do_not_reach_into_a_save(open_checkpoints):
  size = 3_000_000  # 24 MB of parameters and twice that of moments: the write outlasts the steps
  step = jax.jit(
    lambda s: jax.tree.map(lambda x: x * -1.5 + 1, s.replace(rng=s.step)), donate_argnums=0
  )
  checkpoints, like = open_checkpoints(), make_state(0, size=size)
  for trial in (1, 2):
    state = make_state(trial, size=size)
    checkpoints.save(state, trial)
    for _ in range(5):
      state = step(state)
    jax.block_until_ready(state)
    checkpoints.wait()
    restored, notes = checkpoints.restore(like)
    assert notes["iterator"] == trial
    toy.assert_same(restored, make_state(trial, size=size))


def test_another_model_is_refused_with_names_of_both_sides(open_checkpoints, tmp_path):
  checkpoints = open_checkpoints()
  checkpoints.save(make_state(1), POSITION)
  checkpoints.wait()
  other = make_state(0, size=4)
  other.params["head"] = other.params["layer"].pop("gate")
  for restore in (
    lambda: restore_model(tmp_path, model_of(other)),
    lambda: open_checkpoints().restore(other),
  ):
    with pytest.raises(InputError, match="of another model") as caught:
      restore()
    has, _, describes = str(caught.value).partition("the config describes")
    assert "params/layer/gate ()" in has and "params/layer/kernel (3, 2)" in has
    assert "params/head ()" in describes and "params/layer/kernel (4, 2)" in describes
    assert "average" not in has + describes and "\n" not in str(caught.value)


@pytest.mark.parametrize("best", [False, True])
def test_a_folder_without_checkpoints_is_named(tmp_path, best):
  folder = tmp_path / ("best" if best else "checkpoints")
  with pytest.raises(InputError, match=f"{folder} does not exist"):
    restore_model(tmp_path, model_of(make_state(0)), best)
  folder.mkdir()
  with pytest.raises(InputError, match=f"{folder} holds no finished checkpoint"):
    restore_model(tmp_path, model_of(make_state(0)), best)


def test_the_config_is_stored_in_every_checkpoint(open_checkpoints, tmp_path):
  checkpoints = open_checkpoints()
  checkpoints.save(make_state(1), POSITION)
  checkpoints.wait()
  (stored,) = (tmp_path / "checkpoints" / "1" / "config").rglob("metadata")
  assert json.loads(stored.read_text()) == toy.config()


def test_another_config_is_refused_with_the_fields_that_differ(tmp_path):
  config = toy.config()
  config["train"]["headline"] = ("reconstruction",)  # a tuple, which JSON does not know
  write_config(tmp_path / "run", config)
  write_config(tmp_path / "run", config)
  assert read_config(tmp_path / "run") == toy.config()
  changed = toy.config(steps=7)
  changed["data"]["batch_size"] = 4
  changed["train"]["new"] = 1
  del changed["eval"]["best"]
  with pytest.raises(InputError, match="holds a run with another config") as caught:
    write_config(tmp_path / "run", changed)
  for words in (
    "config.train.steps was 6, now 7",
    "config.data.batch_size was 8, now 4",
    "config.train.new was None, now 1",
    "config.eval.best was 'score', now None",
  ):
    assert words in str(caught.value)
  assert str(caught.value).count(" was ") == 4
  assert os.listdir(tmp_path / "run") == ["config.json"]


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ('{"seed": 0, "ta', "config.json is damaged"),
    ("", "config.json is damaged"),
    ("[1]", "it lacks seed, task"),
    ('{"seed": 0, "task": "", "model": {}, "data": {}, "train": {}}', "it lacks eval"),
    (None, "is not a workdir"),
  ],
)
def test_a_damaged_config_is_named(tmp_path, text, words):
  if text is not None:
    (tmp_path / "config.json").write_text(text)
  with pytest.raises(InputError, match=words):
    read_config(tmp_path)


def test_a_file_in_place_of_the_workdir_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(InputError, match="is not a workdir"):
    read_config(tmp_path / "file")
