"""Object Pursuit, joint pretraining on folders of objects, as from AI2-THOR.

python -m data.prepare object_folders/ithor --from RAW
python -m experiments.train --config configs/object_pursuit/joint_ithor.py --workdir runs/joint

The published 52 objects with up to 2,000 views each, 100 epochs of 8 views of one object each. For
folders of one's own give their name and how many they are, as config.data.name and
config.model.objects.

Append `:smoke` for two steps on made-up scenes of these shapes, `:whole` to generate the backbone,
too, `:deeplab` for one network of all objects to compare with, `:published` to score as published.
"""

from configs import variants
from configs.object_pursuit import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.views(config, "object_folders/ithor")
  _base.joint(config, objects=52, steps_per_epoch=10_000)
  return variants.apply(config, variant, **_base.JOINT_VARIANTS)
