"""Loci-Segmented at laptop size: stage 1, on generated falling solids.

python -m experiments.train --config configs/loci/generated_stage1.py --workdir runs/stage1

6,000 steps of 16. Nothing of this size was published; experiments/results/loci.md has what came
out. Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.encoder_decoder(config, passes=0, input_depth=True)
  _base.small_objects(config)
  _base.small_training(config, 6_000)
  return variants.apply(config, variant)
