r"""Loci-Segmented on MOVi-C, from colours alone: what the paper's table is made with.

python -m data.prepare movi/c_256px_depth --from RAW
python -m experiments.import_checkpoint loci Loci-s.ckpt runs/movi_c \
    --config configs/loci/movi_c.py
python -m experiments.evaluate --workdir runs/movi_c --split validation

or, to train on this set alone, which was not published (their rate is 0):

python -m experiments.train --config configs/loci/movi_c.py --workdir runs/movi_c

The variants `:segmentation` (with Proposal.ckpt) and `:regularization` are the other two
modes. The published files are movi-c-loci-rnd.json, -seg.json and -reg.json;
the table has the means of five seeds.

Append `:smoke` for two steps on a made-up video of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.loci(config, input_depth=False)
  _base.movi_videos(config, "c")
  config.train.steps = 1_000_000
  config.eval.images = 0
  return variants.apply(config, variant, smoke=_base.one_clip, **_base.MODES)
