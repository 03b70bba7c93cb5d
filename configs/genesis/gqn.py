"""GENESIS on GQN rooms_ring_camera at the published setting: 64x64, 7 slots.

python -m data.prepare gqn --from RAW
python -m experiments.train --config configs/genesis/gqn.py --workdir runs/g1_gqn

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7.
Published, by the released checkpoint: FID 79.4; in the paper 80.5. The set has no labels.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.genesis import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.gqn)
  return variants.apply(config, variant, **_base.VARIANTS)
