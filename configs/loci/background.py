"""Loci-Segmented, background and uncertainty, on pairs of frames of MOVi-A to F.

python -m data.prepare movi/a_256px_depth --from RAW
python -m data.prepare movi/b_256px_depth --from RAW
python -m data.prepare movi/c_256px_depth --from RAW
python -m data.prepare movi/d_256px_depth --from RAW
python -m data.prepare movi/e_256px_depth --from RAW
python -m data.prepare movi/f_512px_depth --from RAW
python -m experiments.train --config configs/loci/background.py --workdir runs/background

500,000 steps of 32 pairs: the source says neither steps nor results, only the batch and a
constant rate.
The published file is pretrain-background.json.

Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.background(config, input_depth=False)
  _base.movi_pairs(config)
  return variants.apply(config, variant)
