"""GENESIS-V2 on small generated Multi-dSprites: from nothing to a scored model on a laptop.

python -m experiments.train --config configs/quickstart.py --workdir runs/quickstart

The published design with smaller images, fewer slots and a narrower network.
"""

import ml_collections

from configs import variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  config.data.name = "multi_dsprites/32px_1-3_train20000"
  config.data.side = 32
  config.data.objects = 3
  config.model.slots = 4
  config.model.features = 16
  config.train.steps = 3000
  config.train.updates = (dict(loss="elbo", clip=0.0, groups={"": dict(name="adam", rate=1e-3)}),)
  config.train.schedules = ml_collections.ConfigDict(
    dict(beta=dict(kind="linear", start=0.0, end=0.5, steps=4000, begin=500))
  )
  config.train.report_every = 100
  config.train.checkpoint_every = 500
  config.train.evaluate_every = 500
  return variants.apply(config, variant)
