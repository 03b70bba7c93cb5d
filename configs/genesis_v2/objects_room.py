"""GENESIS-V2 on Objects Room at the published setting: 64x64, 7 slots.

python -m data.prepare multi_objects/objects_room --from RAW
python -m experiments.train --config configs/genesis_v2/objects_room.py --workdir runs/g2_rooms

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7.
Published, by the released checkpoint: FID 53.2, FG-ARI 0.82, FG-mSC 0.61.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.objects_room)
  return variants.apply(config, variant, **_base.VARIANTS)
