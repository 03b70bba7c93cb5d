"""SCALOR on few moving dSprites, 64x64, with the settings its authors give for toy data.

python -m experiments.train --config configs/scalor/moving_sprites_64px.py --workdir runs/sprites_64

20,000 steps of 20 clips of 10 frames, RMSprop 5e-4, grid of 4, object latents of 8, pixel deviation
0.2, presence prior to 1e-4. Published numbers: none.

Append `:smoke` for two steps on made-up scenes of these shapes, `:laptop` for what two cores can
train; ours: experiments/results/scalor.md.
"""

from configs import datasets, variants
from configs.scalor import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  datasets.moving_sprites(config, "3-5", side=64)
  _base.toy(config)
  return variants.apply(config, variant, laptop=laptop)


def laptop(config):
  """1000 clips; glimpses of 16 pixels, no recurrence in the encoder, 4 half clips a step."""
  config.data.name += "_train1000"
  config.data.batch_size = 4
  _base.carry(config)
  config.model.glimpse = 16
  config.model.recurrent = ()
  config.model.evaluation_slots = 10
  config.train.steps = 2000
  config.train.checkpoint_every = 200
  config.train.evaluate_every = 500
  config.eval.images = 20
