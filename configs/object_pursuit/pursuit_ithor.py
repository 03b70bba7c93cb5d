"""Object Pursuit of folders of objects, as from AI2-THOR.

python -m data.prepare object_folders/ithor_test10 --from RAW
python -m experiments.pursuit --config configs/object_pursuit/pursuit_ithor.py --workdir runs/p

A latent of 100 numbers, pictures of 256x256, up to 200 epochs of batches of 16 for every training;
a tenth of the views of every object is kept for `--eval`. As published one starts from a joint
training (joint_ithor.py), and leaves its 52 objects out:

    --config.pursuit.hypernetwork=runs/joint --config.pursuit.backbone=runs/joint
    --config.pursuit.bases=runs/joint --config.pursuit.first=52 --config.pursuit.count=60

Published for 60 objects and a threshold of 0.6: 0.42 bases and 0.58 learned objects an object, 0.77
Dice of what was learned, nothing forgotten but 2 %. Other folders of objects are given as
config.data.name. Append `:smoke` for two steps of every training on made-up scenes of these shapes,
`:published` for what the published code does otherwise.
"""

from configs import variants
from configs.object_pursuit import _base, _pursuit


def get_config(variant: str = ""):
  config = _pursuit.get_config()
  _base.views(config, "object_folders/ithor_test10", crop=False)
  return variants.apply(config, variant, **_pursuit.VARIANTS)
