"""SCALOR on the crowd of Grand Central Station at the published setting: 128x128, grid of 8.

python -m data.prepare grand_central --from RAW
python -m experiments.train --config configs/scalor/grand_central.py --workdir runs/station

100,000 steps of 20 clips of 10 frames, RMSprop 4e-5, up to 45 objects; 5.0 million parameters.
Published numbers: none; the paper shows pictures.

Append `:smoke` for two steps on made-up scenes of these shapes. Where the background explains
everything, `:broadcast_background` and `:hidden_background` are what its authors advise.
"""

from configs import datasets, variants
from configs.scalor import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  datasets.grand_central(config)
  _base.objects(config, 45)
  return variants.apply(config, variant, **_base.VARIANTS)
