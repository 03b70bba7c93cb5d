"""GENESIS-V2 on ShapeStacks at the published setting: 64x64, 9 slots.

python -m data.prepare shapestacks --from RAW
python -m experiments.train --config configs/genesis_v2/shapestacks.py --workdir runs/g2_stacks

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7.
Published, by the released checkpoint: FID 108.1, FG-ARI 0.80, FG-mSC 0.66.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.shapestacks)
  return variants.apply(config, variant, **_base.VARIANTS)
