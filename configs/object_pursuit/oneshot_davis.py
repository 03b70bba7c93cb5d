"""Object Pursuit, objects of DAVIS 2016 from one frame, over given bases.

python -m data.prepare davis/2016 --from RAW
python -m experiments.train --config configs/object_pursuit/oneshot_davis.py --workdir runs/shot

One row of the table that experiments.oneshot makes, which starts from a pretraining or a pursuit:

python -m experiments.oneshot --config configs/object_pursuit/oneshot_davis.py
    --source runs/joint --workdir runs/oneshot

160 steps of 8 times the first frame: 20 epochs of 8 batches. RMSprop 4e-4, each element of the
gradient within 0.1, as published. By itself, without a source, bases and networks are random.

Append `:smoke` for two steps on made-up scenes of these shapes, `:published` to score as published:
with dropout, and what is trained with, too.
"""

from configs import variants
from configs.object_pursuit import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  config.data.split = "train+validation"
  _base.views(config, "davis/2016")
  _base.oneshot(config)
  config.train.steps = 160
  return variants.apply(config, variant, published=_base.published)
