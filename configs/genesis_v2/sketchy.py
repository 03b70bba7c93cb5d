"""GENESIS-V2 on Sketchy at the published setting: 128x128, 10 slots.

python -m data.prepare sketchy --from RAW
python -m experiments.train --config configs/genesis_v2/sketchy.py --workdir runs/g2_sketchy

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5645 nats a value (here alone), pixel deviation
0.7. Published, by the released checkpoint: FID 212.7; the set has no labels.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.sketchy)
  config.model.geco.goal = 0.5645
  return variants.apply(config, variant, **_base.VARIANTS)
