"""Loci-Segmented at laptop size: the colour decoder, on generated falling solids.

python -m experiments.train --config configs/loci/generated_rgb_decoder.py --workdir runs/rgb

1,500 steps of 16. Nothing of this size was published; experiments/results/loci.md has what came
out. Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.part(config, "rgb")
  _base.small_sizes(config)
  _base.generated_objects(config)
  _base.small_training(config, 1_500)
  return variants.apply(config, variant)
