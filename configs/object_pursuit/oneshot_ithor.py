"""Object Pursuit, objects of a set of folders from one view, over given bases.

python -m data.prepare object_folders/ithor --from RAW
python -m experiments.train --config configs/object_pursuit/oneshot_ithor.py --workdir runs/shot

One row of the table that experiments.oneshot makes, which starts from a pretraining or a pursuit:

python -m experiments.oneshot --config configs/object_pursuit/oneshot_ithor.py
    --source runs/joint --workdir runs/oneshot

5,000 steps of 8 times the one view: 20 epochs of 2,000 views. RMSprop 4e-4, each element of the
gradient within 0.1. Published accuracy (Dice) from 1, 5 and 10 views over bases: .45, .61, .65;
over all latents: .29, .45, .52.

Append `:smoke` for two steps on made-up scenes of these shapes, `:published` to score as published:
with dropout, and what is trained with, too.
"""

from configs import variants
from configs.object_pursuit import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.views(config, "object_folders/ithor", crop=False)
  _base.oneshot(config)
  config.train.steps = 5000
  return variants.apply(config, variant, published=_base.published)
