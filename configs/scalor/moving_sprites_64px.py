"""SCALOR on few moving dSprites, 64x64, with the settings its authors give for toy data.

python -m experiments.train --config configs/scalor/moving_sprites_64px.py --workdir runs/sprites_64

20,000 steps of 20 clips of 10 frames, RMSprop 5e-4, grid of 4, object latents of 8, pixel deviation
0.2, presence prior to 1e-4. Published numbers: none.

What two cores can train, in two parts; ours: experiments/results/scalor.md. The first one learns to
find large sprites in single frames, the second one goes on from it with clips:

python -m experiments.train --config configs/scalor/moving_sprites_64px.py:laptop_stills
    --workdir runs/stills
python -m experiments.train --config configs/scalor/moving_sprites_64px.py:laptop
    --workdir runs/clips

Append `:smoke` for two steps on made-up scenes of these shapes, `:laptop_perceptual`,
`:laptop_adversarial` or `:laptop_both` for 100 steps that go on from runs/clips with the losses of
the MOTSynth extension.
"""

from configs import datasets, variants
from configs.scalor import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  datasets.moving_sprites(config, "3-5", side=64)
  _base.toy(config)
  losses = {
    "laptop_perceptual": _base.perceptual,
    "laptop_adversarial": _base.adversarial,
    "laptop_both": _base.perceptual_adversarial,
  }
  extended = {name: extend(change) for name, change in losses.items()}
  return variants.apply(config, variant, laptop=laptop, laptop_stills=stills, **extended)


def clips(config):
  """Large sprites in half clips that go on; small glimpses, a background that can't paint sprites.

  The encoder has no LSTM.
  """
  config.data.name = "generated_moving_sprites/64px_3-5_large_frames10_train1000"
  config.data.batch_size = 4
  _base.carry(config)
  _base.broadcast_background(config)
  config.model.anchors = dict(scale=0.22, scale_range=0.12, ratio=1.0, ratio_range=0.3)
  config.model.glimpse = 16
  config.model.recurrent = ()
  config.model.evaluation_slots = 10
  config.train.report_every = 50
  config.train.checkpoint_every = 200
  config.eval.images = 20


def stills(config):
  """Variant: single frames of those clips; the background is hidden in the first 200 steps.

  With clips from the start the background explains everything within 125 steps and no object is
  left; hidden, it leaves objects that are not followed: what is drawn of them early on is worse
  than nothing.
  """
  clips(config)
  config.data.frames = 1
  config.data.preprocess = (dict(name="clip", length=1, starts="all"),)
  config.data.chunk = 0
  config.data.batch_size = 16
  config.model.carried = False
  _base.hide_background(config)
  config.train.steps = 800
  config.train.evaluate_every = 0


def laptop(config):
  """Variant: the clips, from what was learned of single frames."""
  clips(config)
  start_from(config, "runs/stills")
  config.train.steps = 2000
  config.train.evaluate_every = 400


def extend(change):
  """Variant: on the clips, 100 more steps with a loss of the extension."""

  def apply(config):
    clips(config)
    change(config)
    parts = ("background", "discovery", "frame_encoder", "glimpse_decoder", "glimpse_encoder")
    start_from(config, "runs/clips", *parts, "propagation")
    config.train.steps = 100
    config.train.report_every = 10
    config.train.checkpoint_every = 50
    config.train.evaluate_every = 0

  return apply


def start_from(config, workdir: str, *parts: str):
  """Takes these networks from the last checkpoint there, or all of them."""
  paths = [f"params/{part}/" for part in parts] or ["params/"]
  config.train.start_from = (dict(workdir=workdir, best=False, parts={p: p for p in paths}),)
