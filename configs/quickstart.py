"""GENESIS-V2 on small generated Multi-dSprites: from nothing to a scored model on a laptop.

python -m experiments.train --config configs/quickstart.py --workdir runs/quickstart

8,000 steps of 16 images, about seven minutes on two CPU cores with all that comes before and after.
The published design with smaller images, fewer slots and a narrower network, whose normalisations
keep the published eight channels a group. It is far too short a training to separate objects well:
what it reaches, and the learning curve, are in experiments/results/quickstart.md.
"""

from configs import datasets, variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.multi_dsprites)
  config.data.name = "multi_dsprites/32px_1-3_train20000"
  config.data.side = 32
  config.data.objects = 3
  config.data.batch_size = 16
  config.model.slots = 4
  config.model.features = 16
  config.model.norm_groups = 2
  # From the published start of 1 the latents of so short a training collapse to the prior.
  config.model.geco.start = 1e-6
  config.model.geco.minimum = 1e-6
  config.train.steps = 8000
  rate = dict(kind="cosine", peak=2e-3, steps=8000, warmup=200, end=1e-4)
  config.train.updates = (dict(loss="elbo", clip=0.0, groups={"": dict(name="adam", rate=rate)}),)
  config.train.report_every = 100
  config.train.checkpoint_every = 1000
  config.train.evaluate_every = 1000
  return variants.apply(config, variant)
