"""SPACE on your own pictures, from the settings that its authors advise to start with.

python -m experiments.suggest FOLDER
python -m data.prepare folder/mine_128px --from RAW
python -m experiments.train --config configs/space/own_pictures.py --workdir runs/mine

RAW is the folder of pictures; append the flags that the first command proposes to the last one: the
grid, and the size prior, which matters most. 160,001 steps of 12 images as in the joint training on
Atari. Training says so when the foreground stays empty or takes everything.

Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.space import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.atari(config, "joint")
  _base.joint_training(config)
  config.data.name = "folder/mine_128px"
  config.data.preprocess = (dict(name="resize", method="pillow_bilinear"),)
  config.train.steps = 160_001
  config.eval.images = 0
  return variants.apply(config, variant)
