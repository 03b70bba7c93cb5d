"""Loci-Segmented, first stage: the colour decoder alone, on single objects of MOVi-A to F.

python -m data.prepare movi/a_256px_depth --from RAW
python -m data.prepare movi/b_256px_depth --from RAW
python -m data.prepare movi/c_256px_depth --from RAW
python -m data.prepare movi/d_256px_depth --from RAW
python -m data.prepare movi/e_256px_depth --from RAW
python -m data.prepare movi/f_512px_depth --from RAW
python -m experiments.train --config configs/loci/rgb_decoder.py --workdir runs/rgb

500,000 steps of 32 objects: the source says neither steps nor results, only the batch and a
constant rate. `experiments.loci` runs all stages in order.
The published file is pretrain-rgb-decoder.json.

Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.part(config, "rgb")
  _base.movi_objects(config)
  return variants.apply(config, variant)
