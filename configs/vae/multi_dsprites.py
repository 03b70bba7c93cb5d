"""Baseline VAE on Multi-dSprites at the published setting: 64x64.

python -m data.prepare multi_dsprites
python -m experiments.train --config configs/vae/multi_dsprites.py --workdir runs/vae_sprites

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7. The
GENESIS paper compares FID scores with it; we do not know them.

Append `:smoke` for two steps on made-up scenes of these shapes, `:laptop` for small scenes that two
cores train on in twenty minutes (experiments/results/genesis_family.md), `:broadcast` for the
spatial broadcast decoder, `:beta_warmup` for a fixed weight of the KL, reached slowly, in place of
GECO.
"""

from configs import datasets, genesis_repository, variants
from configs.vae import _base


def laptop(config):
  """Variant: as of the other models; below this weight of the KL the latents run off."""
  genesis_repository.laptop(config)
  config.model.geco.start = 1e-2
  config.model.geco.minimum = 1e-3


def get_config(variant: str = ""):
  config = _base.get_config(datasets.multi_dsprites)
  return variants.apply(config, variant, laptop=laptop, **_base.VARIANTS)
