"""SCALOR on moving dSprites, 128x128: 2 to 10 of them, and up to 110 in the variants.

python -m experiments.train --config configs/scalor/moving_sprites.py --workdir runs/moving_sprites

100,000 steps of 20 clips of 10 frames, RMSprop 4e-5. The paper's sets were not released: numbers,
sizes and speeds are those of data/generated_moving_sprites. Published numbers: none to compare
with; ours: experiments/results/scalor.md.

Append `:smoke` for two steps on made-up scenes of these shapes, `:medium` (20 to 30 objects),
`:high` (50 to 60) or `:very_high` (90 to 110, grid of 16) for denser clips, `:texture` for 50 to 60
objects before a moving texture, `:carried` for steps of half a clip that go on from the one before.
"""

from configs import variants
from configs.scalor import _base

KIND = "dsprites"


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.sprites(config, "low", KIND)
  return variants.apply(config, variant, **_base.sprite_variants(KIND))
