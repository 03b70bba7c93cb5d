"""SPACE on the large 3D rooms at the published setting: grid of 16, 5 background components.

python -m data.prepare obj3d/large --from RAW
python -m experiments.train --config configs/space/obj3d_large.py --workdir runs/rooms_large

160,001 steps of 12 images of 18 to 24 objects, RMSprop 1e-5 (foreground) and Adam 1e-3
(background), one clip of both at 1. Published numbers: a table of the paper, which we could not
check.

Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.space import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.rooms(config, "large")
  config.model.grid = 16
  config.seed = 8848
  return variants.apply(config, variant)
