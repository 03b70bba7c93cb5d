"""Loci-Segmented, stage 2: hyper-networks, in three passes, with depth.

python -m data.prepare movi/a_256px_depth --from RAW
python -m data.prepare movi/b_256px_depth --from RAW
python -m data.prepare movi/c_256px_depth --from RAW
python -m data.prepare movi/d_256px_depth --from RAW
python -m data.prepare movi/e_256px_depth --from RAW
python -m data.prepare movi/f_512px_depth --from RAW
python -m experiments.train --config configs/loci/stage2_depth.py --workdir runs/stage2_depth

500,000 steps of 32 objects: the source says neither steps nor results, only the batch and a
constant rate.
Starts from the stages before it when `experiments.loci` runs it; by itself, from nothing.
The published file is pretrain-encoder-decoder-stage2-depth.json.

Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.encoder_decoder(config, passes=3, input_depth=True)
  _base.movi_objects(config)
  return variants.apply(config, variant)
