"""GENESIS on ShapeStacks at the published setting: 64x64, 9 slots.

python -m data.prepare shapestacks --from RAW
python -m experiments.train --config configs/genesis/shapestacks.py --workdir runs/g1_stacks

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7.
Published, by the released checkpoint: FID 235.4, FG-ARI 0.71, FG-mSC 0.64; in the paper FG-ARI 0.73
+- 0.03, FG-mSC 0.60 +- 0.09.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.genesis import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.shapestacks)
  return variants.apply(config, variant, **_base.VARIANTS)
