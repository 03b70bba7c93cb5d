"""MONet on ShapeStacks at the published setting: 64x64, 9 slots.

python -m data.prepare shapestacks --from RAW
python -m experiments.train --config configs/monet/shapestacks.py --workdir runs/monet_stacks

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7. Published
numbers: none that we know of.

Append `:smoke` for two steps on made-up scenes of these shapes, `:burgess` for the training of the
MONet paper, `:beta_warmup` for a fixed weight of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.monet import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.shapestacks)
  return variants.apply(config, variant, **_base.VARIANTS)
