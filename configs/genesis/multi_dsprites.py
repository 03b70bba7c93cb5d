"""GENESIS on Multi-dSprites at the published setting: 64x64, 5 slots.

python -m data.prepare multi_dsprites
python -m experiments.train --config configs/genesis/multi_dsprites.py --workdir runs/g1_sprites

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7.
Published, by the released checkpoint: FID 25.0, FG-ARI 0.57, FG-mSC 0.69; in the paper FID 24.9.

Append `:smoke` for two steps on made-up scenes of these shapes, `:laptop` for small scenes that two
cores train on in twenty minutes (experiments/results/genesis_family.md), `:beta_warmup` for a fixed
weight of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, genesis_repository, variants
from configs.genesis import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.multi_dsprites)
  return variants.apply(config, variant, laptop=genesis_repository.laptop, **_base.VARIANTS)
