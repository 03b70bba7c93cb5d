"""Loci-Segmented at laptop size: stage 2, on generated falling solids.

python -m experiments.train --config configs/loci/generated_stage2.py --workdir runs/stage2

2,500 steps of 16. Nothing of this size was published; experiments/results/loci.md has what came
out. Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.encoder_decoder(config, passes=3, input_depth=True)
  _base.small_objects(config)
  config.model.stretch = 0.2  # the second pass comes in after 500 steps, the third after 1,000
  config.model.position_stretch = 1.0  # positions are learned to the end
  # Stage 1 ends at 3e-4; a far higher rate makes positions diverge.
  _base.small_training(config, 2_500, rate=5e-4)
  return variants.apply(config, variant)
