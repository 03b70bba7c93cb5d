"""MONet on Objects Room at the published setting: 64x64, 7 slots.

python -m data.prepare multi_objects/objects_room --from RAW
python -m experiments.train --config configs/monet/objects_room.py --workdir runs/monet_rooms

500,001 steps of 32 images, Adam 1e-4, GECO goal 0.5655 nats a value, pixel deviation 0.7. Published
numbers: none that we know of.

This is the dataset of "Reconstruction Bottlenecks in Object-Centric Generative Models" (Engelcke et
al., 2020), which makes components harder or easier to reconstruct. Its options:
`--config.model.X=value` for X component_latents, component_encoder_features,
component_decoder_features, component_decoder_layers, pixel_deviation, first_pixel_deviation,
geco.goal.

Append `:smoke` for two steps on made-up scenes of these shapes, `:burgess` for the training of the
MONet paper, `:beta_warmup` for a fixed weight of the KL, reached slowly, in place of GECO.
"""

from configs import datasets, variants
from configs.monet import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.objects_room)
  return variants.apply(config, variant, **_base.VARIANTS)
