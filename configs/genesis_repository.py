"""What all models of applied-ai-lab/genesis are trained with as published: flags of train.py."""

import ml_collections

from configs import datasets, sections


def base() -> ml_collections.ConfigDict:
  """A config without network and dataset.

  500,001 steps of 32 images, Adam at 1e-4; GECO holds the reconstruction error at its goal.
  """
  config = sections.base()

  model = config.model
  model.side = config.data.get_ref("side")
  model.pixel_deviation = 0.7
  model.geco = dict(
    use=True,
    goal=0.5655,  # nats per value; a perfect reconstruction has 0.5623
    rate=1e-5,  # of the multiplier, at 64 x 64 pixels
    decay=0.99,
    start=1.0,
    minimum=1e-10,
    speedup=10.0,
  )
  model.dtype = "float32"  # or bfloat16

  config.train.steps = 500_001
  optimise(config, "adam")
  config.train.schedules.beta = 0.5  # weight of the KL terms where GECO is not used
  config.train.report_every = 1000
  config.train.checkpoint_every = 5000
  config.train.evaluate_every = 5000
  return config


def optimise(config: ml_collections.ConfigDict, name: str, rate=1e-4):
  """Trains with the optimiser of this name without clipping gradients; 1e-4 is published."""
  optimiser = dict(name=name, rate=rate)
  config.train.updates = (dict(loss="elbo", clip=0.0, groups={"": optimiser}),)


def beta_warmup(config: ml_collections.ConfigDict):
  """Variant: no GECO; the weight of the KL terms rises from 0 over the first fifth of the steps."""
  config.model.geco.use = False
  weight = config.train.schedules.beta
  rise = dict(kind="linear", start=0.0, end=weight, steps=config.train.steps // 5)
  with config.ignore_type():
    config.train.schedules.beta = rise


def laptop(config: ml_collections.ConfigDict):
  """Variant: small generated scenes and 1,500 steps of 16, for two CPU cores.

  From the published start of GECO the latents of so short a training collapse to the prior.
  """
  datasets.small_multi_dsprites(config)
  config.data.batch_size = 16
  config.model.geco.start = 1e-6
  config.model.geco.minimum = 1e-6
  config.train.steps = 1500
  optimise(config, "adam", dict(kind="cosine", peak=1e-3, steps=1500, warmup=200, end=1e-4))
  config.train.report_every = 50
  config.train.checkpoint_every = 250
  config.train.evaluate_every = 250
