"""SPACE on Ms. Pac-Man alone: the published joint training of ten games, on this one.

python -m data.prepare atari/ms_pacman --from RAW
python -m experiments.train --config configs/space/atari_ms_pacman.py --workdir runs/ms_pacman

100,001 steps of 12 images, RMSprop 1e-5 (foreground) and Adam 1e-3 (background), one clip of both
at 1; alpha is 0.1 for the first 4,000 steps. No training on this game alone was published.

Append `:smoke` for two steps on made-up scenes of these shapes, `:laptop` for a small training on
recorded pictures.
"""

from configs import variants
from configs.space import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.atari(config, "ms_pacman")
  _base.joint_training(config)
  return variants.apply(config, variant, laptop=_base.atari_laptop)
