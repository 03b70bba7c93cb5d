"""MONet as re-implemented with GENESIS: models/monet_config.py of applied-ai-lab/genesis.

Its training differs from that of the paper (Burgess et al., 2019); the variant `burgess` has the
paper's, as the README of that repository gives it.
"""

from collections.abc import Callable

import ml_collections

from configs import genesis_repository


def burgess(config: ml_collections.ConfigDict):
  """Variant: the paper's training. RMSprop, 1,000,001 steps of 64 images, KL weighted by 0.5."""
  config.model.geco.use = False
  config.model.first_pixel_deviation = 0.09
  config.model.pixel_deviation = 0.11
  config.data.batch_size = 64
  config.train.steps = 1_000_001
  genesis_repository.optimise(config, "rmsprop")


VARIANTS = {"burgess": burgess, "beta_warmup": genesis_repository.beta_warmup}


def get_config(
  dataset: Callable[[ml_collections.ConfigDict], None],
) -> ml_collections.ConfigDict:
  """The setting of the GENESIS papers on one of `configs.datasets`."""
  config = genesis_repository.base()
  config.task = "objectcentric_jax.models.monet"

  model = config.model
  model.slots = 5
  model.attention_features = 32
  model.mask_decoder = "softmax"  # or stick_breaking
  model.component_latents = 16
  model.component_encoder_features = 32
  model.component_decoder_features = 32
  model.component_decoder_layers = 4
  model.bounded_pixels = True
  model.first_pixel_deviation = 0.7
  model.analytic_kl = False
  model.unroll = 0  # loop steps to unroll; 0 unrolls on the CPU only

  config.train.headline = ("elbo", "reconstruction_per_value", "kl_mask", "kl_latent", "multiplier")
  config.eval.best = "fg_ari"
  config.eval.headline = ("ari", "fg_ari", "msc", "fg_msc", "fg_ari/decoded")
  dataset(config)
  return config
