"""Loci-Segmented itself, over time, from colours alone.

python -m data.prepare movi/a_256px_depth --from RAW
python -m data.prepare movi/b_256px_depth --from RAW
python -m data.prepare movi/c_256px_depth --from RAW
python -m data.prepare movi/d_256px_depth --from RAW
python -m data.prepare movi/e_256px_depth --from RAW
python -m data.prepare movi/f_512px_depth --from RAW
python -m experiments.train --config configs/loci/loci.py --workdir runs/loci

The training that its authors' README leaves open. A step of the optimiser is a chunk of 2 frames of
one video; before a video its first frame is looked at in 5 chunks of teacher forcing, so that a
video of 24 frames takes 17 steps. 1,000,000 steps are 58,824 videos, about one pass through
MOVi-A to F; the source says neither steps nor results, only batch 1 a process and a constant rate.
That objects last is believed from the 10,000th forward pass on, and more and more from there.
`rematerialise` computes every forward pass again in the backward one instead of keeping it; the
traces of the predictor alone are 1 GiB at this size. On two CPU cores a step takes 13 s and 16.6 GB
after four minutes of compiling (experiments/results/loci.md); expected results are not known.
`experiments.loci` starts it from stage 2 and the background; by itself, it starts from nothing.
The published file is loci-s.json.

Append `:smoke` for two steps on a made-up video of these shapes, or `:segmentation` or
`:regularization` for the other ways in which slots find objects: to evaluate with, since training
needs none. `:segmentation` takes the weights of a trained proposal network.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.loci(config, input_depth=False)
  _base.movi_videos(config)
  config.train.steps = 1_000_000
  return variants.apply(config, variant, smoke=_base.one_clip, **_base.MODES)
