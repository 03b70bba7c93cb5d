"""GENESIS on CLEVR of the Multi-Object Datasets at the published setting: 128x128, 11 slots.

python -m data.prepare multi_objects/clevr_with_masks --from RAW
python -m experiments.train --config configs/genesis/clevr.py --workdir runs/g1_clevr

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7. Published
numbers: none that we know of.

Append `:smoke` for two steps on made-up scenes of these shapes, `:beta_warmup` for a fixed weight
of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.genesis import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.clevr)
  return variants.apply(config, variant, **_base.VARIANTS)
