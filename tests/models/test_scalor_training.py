"""Trainings of a small SCALOR: resumed in the middle of a clip, and with the extension's losses.

Marked slow: each compiles gradients through the loop over frames.
"""

import json
import shutil

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from configs import variants
from configs.scalor import _base, moving_sprites_64px
from experiments import build
from objectcentric_jax.checkpoint_import import vgg
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.loop import fit
from tests.checkpoint_import.torch_writer import save_zip
from tests.training import toy

pytestmark = pytest.mark.slow


def small(*changes, steps: int):
  """A config of made-up clips of four frames, 32x32."""
  config = moving_sprites_64px.get_config()
  variants.smoke(config)
  config.data.side, config.data.frames, config.data.batch_size = 32, 4, 2
  config.data.objects = 3
  config.model.glimpse, config.model.latents, config.model.recurrent = 16, 6, (16,)
  config.train.steps, config.train.keep_checkpoints = steps, steps
  config.train.checkpoint_every = 1
  for change in changes:
    change(config)
  return config


def trained(config, workdir):
  """The last state."""
  examples = build.open_examples(config, "train", training=True)
  batches = train_batches(examples, config.data.batch_size, config.seed, chunk=config.data.chunk)
  task = build.make_task(config)
  return fit(task, batches, config.to_dict(), workdir, devices=Devices())


def reports(workdir):
  return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def stored(workdir, step):
  """Everything in a checkpoint."""
  with ocp.CheckpointManager(workdir / "checkpoints") as manager:
    items = ocp.args.Composite(state=ocp.args.StandardRestore())
    return manager.restore(step, args=items)["state"]


def test_resume_in_the_middle_of_a_carried_clip_is_exact(tmp_path):
  """Seven steps of half a clip; then the same from the checkpoint after the fifth."""
  config = small(_base.carry, steps=7)
  straight, workdir = tmp_path / "straight", tmp_path / "resumed"
  trained(config, straight)
  shutil.copytree(straight, workdir)
  for step in (6, 7):
    shutil.rmtree(workdir / "checkpoints" / str(step))
  memory = stored(workdir, 5)["model_state"]["carry"]["memory"]
  assert np.asarray(memory["state"]["started"]).all()
  assert np.abs(memory["state"]["background"]["latent"]).max() > 0
  trained(config, workdir)
  toy.assert_same(stored(workdir, 7), stored(straight, 7))


def test_adversarial_and_perceptual_training(tmp_path):
  """The discriminator and the losses come in the steps that the schedule names, and no others."""
  rng = np.random.default_rng(0)
  weights = {}
  for name, target in vgg.table(("relu1_1", "relu1_2")).items():
    layer, part = target.path.split("/")
    shape = vgg.template(("relu1_2",))[layer][part].shape
    weights[name] = (0.1 * rng.standard_normal(shape[::-1])).astype(np.float32)
  save_zip(tmp_path / "vgg16.pth", weights)

  def extend(config):
    _base.perceptual(config)
    _base.adversarial(config, period=3)
    config.model.perceptual.weights = str(tmp_path / "vgg16.pth")
    config.model.perceptual.layers = ("relu1_2",)

  config = small(extend, steps=3)
  trained(config, tmp_path / "run")
  found = reports(tmp_path / "run")
  assert [report["discriminator/loss"] > 0 for report in found] == [True, False, True]
  assert [report["elbo/adversarial"] > 0 for report in found] == [True, False, True]
  assert all(report["elbo/content"] != 0 for report in found)
  first, second, third = (stored(tmp_path / "run", step) for step in (1, 2, 3))
  judge, network = (
    [state["params"][part] for state in (first, second, third)]
    for part in ("discriminator", "propagation")
  )
  toy.assert_same(judge[0], judge[1])
  weight = [parameters["judge"]["output"]["kernel"] for parameters in judge]
  assert (weight[1] != weight[2]).any()
  bias = [parameters["prior"]["input"]["bias"] for parameters in network]
  assert (bias[0] != bias[1]).any()
  # The frozen weights are in the checkpoint as they were in the file.
  kept = third["model_state"]["perceptual"]["relu1_2"]["kernel"]
  np.testing.assert_array_equal(kept, weights["features.2.weight"].transpose(2, 3, 1, 0))
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(third["params"]))
