"""Object Pursuit of the 50 sequences of DAVIS 2016.

python -m data.prepare davis/2016 --from RAW
python -m experiments.pursuit --config configs/object_pursuit/pursuit_davis.py --workdir runs/p

A latent of 100 numbers, random squares of 256x256, batches of 16; new bases get up to 140 epochs
and wait 30 for a better score. The published code trains and scores with all frames; here a tenth
is kept out of each training. `--eval` is of the 20 validation sequences, frames that were trained
with included, as published. No scores of DAVIS are in the paper's submission.

Append `:smoke` for two steps of every training on made-up scenes of these shapes, `:published` for
what the published code does otherwise.
"""

from configs import variants
from configs.object_pursuit import _base, _pursuit


def get_config(variant: str = ""):
  config = _pursuit.get_config()
  config.data.split = "train+validation"
  config.eval.test_split = "validation"
  _base.views(config, "davis/2016")
  _pursuit.patient(config)
  return variants.apply(config, variant, published=_pursuit.published_videos)
