"""GENESIS-V2 as published: models/genesisv2_config.py of applied-ai-lab/genesis."""

from collections.abc import Callable

import ml_collections

from configs import genesis_repository

VARIANTS = {"beta_warmup": genesis_repository.beta_warmup}


def get_config(
  dataset: Callable[[ml_collections.ConfigDict], None],
) -> ml_collections.ConfigDict:
  """The published setting on one of `configs.datasets`."""
  config = genesis_repository.base()
  config.task = "objectcentric_jax.models.genesis_v2"

  model = config.model
  model.slots = 5
  model.features = 64
  model.norm_groups = 8
  model.kernel = "gaussian"
  model.semiconvolutional = True
  model.encoder_coordinates = False  # this and the next three are not in the published code
  model.own_colours = 0.0
  model.first_width = 0.0
  model.first_deviation = 0.0
  model.autoregressive_prior = True
  model.bounded_pixels = True
  model.smallest_segment = 0.0  # 20.0 is the published option dynamic_K
  model.decode_missing_slots = False  # True for checkpoints trained with dynamic_K
  model.mask_kl = False
  model.mask_kl_weight = 1.0
  model.detach_decoded_masks = True
  model.unroll = 0  # loop steps to unroll; 0 unrolls on the CPU only

  config.train.headline = ("elbo", "reconstruction_per_value", "kl_latent", "multiplier")
  config.eval.best = "fg_ari/attention"
  config.eval.headline = ("ari", "fg_ari", "msc", "fg_msc", "fg_ari/attention")
  dataset(config)
  return config
