"""Object Pursuit, joint pretraining on the 50 sequences of DAVIS 2016.

python -m data.prepare davis/2016 --from RAW
python -m experiments.train --config configs/object_pursuit/joint_davis.py --workdir runs/joint

41,000 steps of 8 frames of one object at 256x256: about the published 100 epochs. Published
numbers: none but those of what starts from it.

Append `:smoke` for two steps on made-up scenes of these shapes, `:whole` to generate the backbone,
too, `:deeplab` for one network of all objects to compare with, `:published` to score as published.
"""

from configs import variants
from configs.object_pursuit import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  config.data.split = "train+validation"
  _base.views(config, "davis/2016")
  _base.joint(config, objects=50, steps_per_epoch=410)
  return variants.apply(config, variant, **_base.JOINT_VARIANTS)
