"""Object Pursuit, joint pretraining on YouTube-VOS and DAVIS 2016 together.

python -m data.prepare youtube_vos/single --from RAW
python -m data.prepare davis/2016 --from RAW
python -m experiments.train --config configs/object_pursuit/joint_vos_davis.py --workdir runs/joint

The setting of the published checkpoint multinet_vos_davis.pth: sequences of YouTube-VOS with one
object and at least 32 frames, and those of DAVIS to train with. An import takes the
number of objects from the file. 100 epochs of 8 frames of one object each.

Append `:smoke` for two steps on made-up scenes of these shapes, `:whole` to generate the backbone,
too, `:deeplab` for one network of all objects to compare with, `:published` to score as published.
"""

from configs import variants
from configs.object_pursuit import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.views(config, "youtube_vos/single+davis/2016")
  _base.joint(config, objects=1000, steps_per_epoch=4000)
  return variants.apply(config, variant, **_base.JOINT_VARIANTS)
