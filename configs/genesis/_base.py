"""GENESIS as published: models/genesis_config.py of applied-ai-lab/genesis."""

from collections.abc import Callable

import ml_collections

from configs import genesis_repository

VARIANTS = {"beta_warmup": genesis_repository.beta_warmup}


def get_config(
  dataset: Callable[[ml_collections.ConfigDict], None],
) -> ml_collections.ConfigDict:
  """The published setting on one of `configs.datasets`."""
  config = genesis_repository.base()
  config.task = "objectcentric_jax.models.genesis"

  model = config.model
  model.slots = 5
  model.two_stage = True  # False: GENESIS-S
  model.autoregressive_prior = True
  model.component_prior = True
  model.mask_latents = 64
  model.encoder_norm = "batch"  # of the gated convolutions; or instance, none
  model.decoder_norm = "batch"
  model.component_latents = 16
  model.component_encoder_features = 32
  model.component_decoder_features = 32
  model.component_decoder_layers = 4
  model.symmetric_components = False  # True: gated convolutions for the components, too
  model.bounded_pixels = True
  model.first_pixel_deviation = 0.7
  model.squash_sampled_means = True  # False for FID scores of published checkpoints
  model.unroll = 0  # loop steps to unroll; 0 unrolls on the CPU only

  config.train.headline = ("elbo", "reconstruction_per_value", "kl_mask", "kl_latent", "multiplier")
  config.eval.best = "fg_ari"
  config.eval.headline = ("ari", "fg_ari", "msc", "fg_msc")
  dataset(config)
  return config
