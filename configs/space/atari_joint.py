"""SPACE on ten Atari games at once at the published setting: grid of 16, 3 background components.

python -m data.prepare atari/joint --from RAW
python -m experiments.train --config configs/space/atari_joint.py --workdir runs/atari_joint

160,001 steps of 12 images, RMSprop 1e-5 (foreground) and Adam 1e-3 (background), one clip of both
at 1; alpha is 0.1 for the first 4,000 steps. Published numbers: none that we know of.

Append `:smoke` for two steps on made-up scenes of these shapes, `:published_colours` for
red and blue exchanged, as the published checkpoint wants it, `:laptop` for a small training on
recorded pictures.
"""

from configs import variants
from configs.space import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.atari(config, "joint")
  _base.joint_training(config)
  config.train.steps = 160_001
  return variants.apply(config, variant, **_base.ATARI_VARIANTS)
