"""GENESIS-V2 on Multi-dSprites at the published setting: 64x64, 1 to 4 sprites, 5 slots.

python -m data.prepare multi_dsprites
python -m experiments.train --config configs/genesis_v2/multi_dsprites.py --workdir runs/v2_sprites

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7. The paper
(arXiv 2104.09958) has no row for this dataset; its authors published GENESIS-V2 on ObjectsRoom
(FG-ARI about 0.85) and ShapeStacks (0.81). Our runs: experiments/results/genesis_v2.md.
Two steps on made-up scenes of these shapes: add `:smoke` to the file name.
"""

from configs import variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  config.data.name = "multi_dsprites/64px_1-4"
  config.data.side = 64
  config.model.slots = 5
  return variants.apply(config, variant)
