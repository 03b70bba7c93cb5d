"""SPACE on River Raid at the published setting: grid of 16, 4 background components.

python -m data.prepare atari/riverraid --from RAW
python -m experiments.train --config configs/space/atari_riverraid.py --workdir runs/riverraid

100,001 steps of 12 images, RMSprop 1e-5 (foreground) and Adam 1e-3 (background), one clip of both
at 1; alpha is 0.05 for the first 4,000 steps. Published numbers: none that we know of.

Append `:smoke` for two steps on made-up scenes of these shapes, `:published_colours` for
red and blue exchanged, as the published checkpoint wants it, `:laptop` for a small training on
recorded pictures.
"""

from configs import variants
from configs.space import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.atari(config, "riverraid")
  config.seed = 3
  config.model.background_components = 4
  _base.anneal(config, "scale_prior_mean", -2.0, -2.5, 0, 20_000)
  _base.anneal(config, "presence_temperature", 2.5, 0.1, 0, 20_000)
  _base.fix_alpha(config, 0.05, 4000)
  return variants.apply(config, variant, **_base.ATARI_VARIANTS)
