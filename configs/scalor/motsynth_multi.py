"""SCALOR on the streets of eight MOTSynth videos, from above: its MOTSynth extension, 128x128.

python -m data.prepare motsynth/original_multi8 --from RAW
python -m experiments.train --config configs/scalor/motsynth_multi.py --workdir runs/multi

20,000 steps of 8 clips of 10 frames, RMSprop 4e-5; its authors show checkpoints of 8,000 to 13,600
steps. Published numbers: none; there are pictures.

Append `:smoke` for two steps on made-up scenes of these shapes; `:perceptual`, `:adversarial` or
`:perceptual_adversarial` for the losses of the extension (the perceptual ones need
--config.model.perceptual.weights=FILE, torchvision's VGG16); `:fixed_background` or
`:uncropped_fixed_background` for its background analysis, `:fixed_backgrounds` for a background of
each video (SCALORV2); `:grid6`, `:grid7` for its other grids.
"""

from configs import datasets, variants
from configs.scalor import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  datasets.motsynth(config, "original_multi8")
  _base.objects(config, 45)
  _base.extension(config)
  own = dict(fixed_backgrounds=_base.fixed_backgrounds(8))
  return variants.apply(config, variant, **_base.EXTENSION_VARIANTS, **own)
