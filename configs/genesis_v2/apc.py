"""GENESIS-V2 on the Amazon Picking Challenge 2016 at the published setting: 128x128, 10 slots.

python -m data.prepare apc --from RAW
python -m experiments.train --config configs/genesis_v2/apc.py --workdir runs/g2_apc

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7.
Published, by the released checkpoint: FID 232.2, ARI 0.55, mSC 0.65.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.apc)
  # One object fills the foreground: only scores over all pixels say something.
  config.eval.best = "ari/attention"
  config.eval.headline = ("ari", "msc", "ari/attention", "msc/attention")
  return variants.apply(config, variant, **_base.VARIANTS)
