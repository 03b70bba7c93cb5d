"""Object Pursuit, drawn objects from one view, over the bases of a joint training.

python -m experiments.train --config configs/object_pursuit/oneshot_generated.py --workdir runs/shot

One row of the table that experiments.oneshot makes, which starts from a pretraining or a pursuit:

python -m experiments.oneshot --config configs/object_pursuit/oneshot_generated.py
    --source runs/joint --workdir runs/oneshot --seeds 0,1,2

60 steps of the one view. Scores are in experiments/results/object_pursuit.md.

Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.object_pursuit import _base, _generated


def get_config(variant: str = ""):
  config = _generated.get_config()
  _base.oneshot(config)
  _generated.keep_out(config)
  config.data.by_object.only = _generated.NAMES[_generated.SEEN :]
  config.train.updates = _base.update(("coefficients",), 1e-2, clip_value=0.1)
  config.train.steps = 60
  config.data.batch_size = 2  # both are the one view; more shots need more of them
  return variants.apply(config, variant)
