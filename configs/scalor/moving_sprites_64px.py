"""SCALOR on few moving dSprites, 64x64, with the settings its authors give for toy data.

python -m experiments.train --config configs/scalor/moving_sprites_64px.py --workdir runs/sprites_64

20,000 steps of 20 clips of 10 frames, RMSprop 5e-4, grid of 4, object latents of 8, pixel deviation
0.2, presence prior to 1e-4. Published numbers: none.

What two cores can train: large sprites before nothing; ours: experiments/results/scalor.md.

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
  return variants.apply(config, variant, laptop=laptop, **extended)


def laptop(config):
  """Variant: half clips, that go on, of large sprites before nothing; small glimpses, no LSTM.

  Against the dark colours of the usual clips the background's network paints all of the frame
  within 125 steps, and no object is left.
  """
  config.data.name = "generated_moving_sprites/64px_3-5_large_black_frames10_train1000"
  config.data.batch_size = 8
  _base.carry(config)
  config.model.background.kind = "none"
  config.model.anchors = dict(scale=0.19, scale_range=0.09, ratio=1.0, ratio_range=0.3)
  config.model.glimpse = 16
  config.model.recurrent = ()
  config.model.evaluation_slots = 10
  config.train.steps = 6000
  config.train.report_every = 50
  config.train.checkpoint_every = 200
  config.train.evaluate_every = 400
  config.eval.images = 50
  config.eval.batch_size = 10
  config.eval.tracking = ("boxes", "masks")
  config.eval.headline = (*config.eval.headline, "mask_mota", "mask_idf1", "mota", "count_accuracy")


def extend(change):
  """Variant: on the clips, 100 more steps with a loss of the extension."""

  def apply(config):
    laptop(config)
    change(config)
    parts = ("discovery", "frame_encoder", "glimpse_decoder", "glimpse_encoder", "propagation")
    start = {f"params/{part}/": f"params/{part}/" for part in parts}
    config.train.start_from = (dict(workdir="runs/clips", best=False, parts=start),)
    config.train.steps = 100
    config.train.report_every = 10
    config.train.checkpoint_every = 50
    config.train.evaluate_every = 0

  return apply
