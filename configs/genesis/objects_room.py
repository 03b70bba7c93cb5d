"""GENESIS on Objects Room at the published setting: 64x64, 7 slots.

python -m data.prepare multi_objects/objects_room --from RAW
python -m experiments.train --config configs/genesis/objects_room.py --workdir runs/g1_rooms

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7. Published
numbers: none that we know of.

This is the dataset of "Reconstruction Bottlenecks in Object-Centric Generative Models" (Engelcke et
al., 2020), which makes components harder or easier to reconstruct. Its options: `:symmetric` for
gated convolutions in the component autoencoder, `:one_stage` for GENESIS-S, `:independent` for
components without a prior of their own, and `--config.model.X=value` for X component_latents,
component_encoder_features, component_decoder_features, component_decoder_layers, pixel_deviation,
first_pixel_deviation, geco.goal.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

import ml_collections

from configs import datasets, variants
from configs.genesis import _base


def symmetric(config: ml_collections.ConfigDict):
  """Variant: the component autoencoder has the gated convolutions of the mask network."""
  config.model.symmetric_components = True


def one_stage(config: ml_collections.ConfigDict):
  """Variant: GENESIS-S, whose mask latents hold the colours too."""
  config.model.two_stage = False
  config.train.headline = ("elbo", "reconstruction_per_value", "kl_mask", "multiplier")


def independent(config: ml_collections.ConfigDict):
  """Variant: component latents do not depend on the mask latents."""
  config.model.component_prior = False


VARIANTS = {"symmetric": symmetric, "one_stage": one_stage, "independent": independent}


def get_config(variant: str = ""):
  config = _base.get_config(datasets.objects_room)
  return variants.apply(config, variant, **_base.VARIANTS, **VARIANTS)
