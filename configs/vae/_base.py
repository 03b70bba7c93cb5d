"""Baseline VAEs as published: models/vae_config.py of applied-ai-lab/genesis.

The decoder is one of gated transposed convolutions; in the variant `broadcast`, one by spatial
broadcast (Watters et al., 2019). There are no masks, so that labels are not read.
"""

from collections.abc import Callable

import ml_collections

from configs import datasets, genesis_repository


def broadcast(config: ml_collections.ConfigDict):
  """Variant: spatial broadcast decoder."""
  config.model.decoder_kind = "broadcast"


VARIANTS = {"broadcast": broadcast, "beta_warmup": genesis_repository.beta_warmup}


def get_config(
  dataset: Callable[[ml_collections.ConfigDict], None],
) -> ml_collections.ConfigDict:
  """The published setting on one of `configs.datasets`."""
  config = genesis_repository.base()
  config.task = "objectcentric_jax.models.vae"

  model = config.model
  model.latents = 64
  model.decoder_kind = "transposed"  # or broadcast
  model.bounded_pixels = True

  config.train.headline = ("elbo", "reconstruction_per_value", "kl_latent", "multiplier")
  dataset(config)
  datasets.without_labels(config)
  return config
