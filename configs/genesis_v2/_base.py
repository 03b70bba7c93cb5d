"""GENESIS-V2 as published: models/genesisv2_config.py and the defaults of train.py."""

import ml_collections

from configs import sections


def get_config() -> ml_collections.ConfigDict:
  """Everything but the dataset and the number of slots."""
  config = sections.base()
  config.task = "objectcentric_jax.models.genesis_v2"

  config.model = model = ml_collections.ConfigDict()
  model.side = config.data.get_ref("side")
  model.slots = 5
  model.features = 64
  model.norm_groups = 8
  model.kernel = "gaussian"
  model.semiconvolutional = True
  model.autoregressive_prior = True
  model.bounded_pixels = True
  model.smallest_segment = 0.0  # 20.0 is the published option dynamic_K
  model.decode_missing_slots = False  # True for checkpoints trained with dynamic_K
  model.pixel_deviation = 0.7
  model.mask_kl = False
  model.detach_decoded_masks = True
  model.geco = ml_collections.ConfigDict()
  model.geco.use = True
  model.geco.goal = 0.5655  # nats per value; a perfect reconstruction has 0.5623
  model.geco.rate = 1e-5  # of the multiplier, at 64 x 64 pixels
  model.geco.decay = 0.99
  model.geco.start = 1.0
  model.geco.minimum = 1e-10
  model.geco.speedup = 10.0
  model.unroll = 0  # loop steps to unroll; 0 unrolls on the CPU only
  model.dtype = "float32"  # or bfloat16

  config.train.steps = 500_001
  config.train.updates = (dict(loss="elbo", clip=0.0, groups={"": dict(name="adam", rate=1e-4)}),)
  config.train.schedules.beta = 0.5  # weight of the KL terms where GECO is not used
  config.train.report_every = 1000
  config.train.checkpoint_every = 5000
  config.train.evaluate_every = 5000
  config.train.headline = ("elbo", "reconstruction_per_value", "kl_latent", "multiplier")

  config.eval.best = "fg_ari/attention"
  config.eval.headline = ("ari", "fg_ari", "msc", "fg_msc", "fg_ari/attention")
  return config
