"""Object Pursuit of sequences of CO3D.

python -m data.prepare co3d/all_256px --from RAW
python -m experiments.pursuit --config configs/object_pursuit/pursuit_co3d.py --workdir runs/p

The first 300 arrivals, of random squares of 256x256 with soft masks, in batches of 8; new bases get
up to 140 epochs and wait 30 for a better score. The published code trains and scores with all
frames; here a tenth is kept out of each training. No scores of CO3D are in the paper's submission.

Append `:smoke` for two steps of every training on made-up scenes of these shapes, `:published` for
what the published code does otherwise.
"""

from configs import variants
from configs.object_pursuit import _pursuit


def get_config(variant: str = ""):
  config = _pursuit.get_config()
  config.data.name = "co3d/all_256px"
  config.data.fields = ("image", "mask")
  resize = dict(name="resize", method="pillow_bicubic")
  config.data.preprocess = (dict(name="square_crop"), resize)
  config.data.batch_size = 8
  config.eval.test_split = config.data.split
  config.pursuit.limit = 300
  _pursuit.patient(config)
  return variants.apply(config, variant, published=_pursuit.published_videos)
