"""Loci-Segmented over time: chunks of videos, whole videos, single images."""

import json

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from configs.loci import generated_loci
from experiments import build
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.loci.loci import make_task
from objectcentric_jax.models.loci.loop import begin_anew
from tests import conftest
from tests.training import toy
from tests.training.device_results import loci_config

TINY = (
  "--config=configs/loci/generated_loci.py:smoke",
  *("--config.data.batch_size=2", "--config.data.frames=4", "--config.data.lead=2"),
  *("--config.model.teacher_forcing=2", "--config.model.slots=3", "--config.model.gestalt=16"),
  *("--config.model.predictor.channels=56", "--config.model.predictor.layers=1"),
  *("--config.eval.images=2", "--config.eval.batch_size=2"),
)


def batch_of(config):
  return build.example_batch(config)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"predictor.channels": 20}, "predictor.channels is 20: at least 54, the size of a slot"),
    ({"mode": "guess"}, "mode is 'guess': choose one of random, regularization, segmentation"),
    ({"slots": 0}, "slots is 0: at least 1"),
    ({"rgb_loss": "l3"}, "rgb_loss is 'l3'"),
  ],
)
def test_settings_that_cannot_be_used(changes, message):
  config = loci_config()
  config.model.update_from_flattened_dict(changes)
  with pytest.raises(InputError, match=message):
    make_task(config.model)


def test_sizes_must_divide():
  config = loci_config()
  config.data.side = 48
  with pytest.raises(InputError, match="height is 48: a multiple of 32"):
    make_task(config.model)


def test_depth_is_asked_for():
  config = loci_config()
  config.data.fields, config.data.preprocess = ("video", "segmentation"), ()
  with pytest.raises(InputError, match="config.data.fields lacks depth"):
    jax.eval_shape(make_task(config.model).init, jax.random.key(0), batch_of(config))


def test_a_new_clip_begins_anew_and_others_go_on():
  config = loci_config()
  task = make_task(config.model)
  shapes = batch_of(config)
  shapes = {name: np.ones(x.shape, x.dtype) for name, x in shapes.items()}
  carry = jax.tree.map(lambda x: np.ones_like(x), task.new_carry(shapes))
  begins = np.arange(len(shapes["video"])) < 3
  for leaf in jax.tree.leaves(begin_anew(carry, begins)):
    assert not np.any(leaf[:3]) and np.all(leaf[3:])
  time = np.array([2] * 4 + [0] * 4, np.int32)  # the second half has gone back
  carry = carry.replace(time=np.full_like(time, 1))
  carried, steps = task.chunk(carry, shapes | {"time": time, "video": 0 * shapes["video"]})
  np.testing.assert_array_equal(carried.begun, time == 2)
  # Clips that go on begin with the last frame of the chunk before.
  np.testing.assert_array_equal(steps.image[0].max((1, 2, 3)), time == 2)
  assert steps.time.tolist() == [1, 2] and steps.first.tolist() == [True, False]


@pytest.mark.slow
def test_goes_on_in_the_middle_of_a_video(tmp_path):
  """Stopped after 2 chunks of the 3 that a clip has, and started again: bit for bit the same."""

  def final(workdir, steps):
    arguments = (*TINY, f"--config.train.steps={steps}", "--config.train.checkpoint_every=1")
    conftest.run("experiments.train", *arguments, "--workdir", workdir)
    with ocp.CheckpointManager(workdir / "checkpoints") as manager:
      return manager.restore(steps, args=ocp.args.Composite(state=ocp.args.StandardRestore()))

  straight = final(tmp_path / "straight", 4)["state"]
  stopped = tmp_path / "stopped"
  final(stopped, 2)
  config = json.loads((stopped / "config.json").read_text())
  config["train"]["steps"] = 4
  (stopped / "config.json").write_text(json.dumps(config))
  toy.assert_same(final(stopped, 4)["state"], straight)


@pytest.mark.slow
@pytest.mark.parametrize("still", [False, True], ids=["video", "image"])
def test_scenes_and_pictures(still):
  config = loci_config()
  config.data.batch_size = 1
  task, batch = make_task(config.model), batch_of(config)
  params, state = jax.jit(task.init)(
    jax.random.key(0), {name: np.zeros(x.shape, x.dtype) for name, x in batch.items()}
  )
  rng = np.random.default_rng(0)
  lead = (1,) if still else (1, 4)
  whole = {"image" if still else "video": rng.uniform(size=(*lead, 64, 64, 3)).astype(np.float32)}
  whole["depth"] = rng.uniform(size=(*lead, 64, 64, 1)).astype(np.float32)
  state = {name: value for name, value in state.items() if name != "carry"}
  scene = jax.jit(task.scene)(params, state, whole, jax.random.key(1))
  assert scene.image.shape == (*lead, 64, 64, 3)
  for masks in (scene.masks, scene.other_masks["prediction"]):
    assert masks.shape == (*lead, 4, 64, 64, 1)
    np.testing.assert_allclose(masks.sum(-4), 1, atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(-4), scene.image, atol=1e-5)
  for name, draw in task.panels.items():
    for row, pictures in jax.jit(draw)(params, state, whole, jax.random.key(1)).items():
      assert pictures.shape[-3:] == (64, 64, 3), (name, row)
      assert np.isfinite(pictures).all(), (name, row)
      assert pictures.min() >= -1e-5 and pictures.max() <= 1 + 1e-5, (name, row)


def test_every_mode_has_a_config():
  assert generated_loci.get_config("segmentation").model.mode == "segmentation"
  assert generated_loci.get_config("regularization").model.mode == "regularization"
