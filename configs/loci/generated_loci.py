"""Loci-Segmented at laptop size: the whole model, on generated falling solids.

python -m experiments.train --config configs/loci/generated_loci.py --workdir runs/loci

1,000 steps of 4 chunks of 2 frames: 500 videos of 12 frames, each after 2 chunks of teacher
forcing. `experiments.loci` starts it from stage 2 and the background; by itself, it starts from
nothing. Nothing of this size was published; experiments/results/loci.md has what came out. Append
`:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.loci(config, input_depth=True)
  _base.small_loci(config)
  _base.generated_videos(config)
  _base.small_training(config, 1_000, rate=1e-4)
  return variants.apply(config, variant, **_base.MODES)
