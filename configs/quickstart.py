"""GENESIS-V2 on small generated Multi-dSprites: from nothing to a scored model on a laptop.

python -m experiments.train --config configs/quickstart.py --workdir runs/quickstart

6,000 steps of 8 images of 2 or 3 sprites. The published design with smaller images, fewer slots and
a narrower network, whose normalisations keep the published eight channels a group, and with what so
short a training needs besides: the encoder sees coordinates, grouping is fixed at colour and place,
latents start with little noise, the published mask KL, five times as heavy, teaches the decoder the
grouping, and kernels of layers move by Muon. Colours are flat, so that the attention's score is
high before the first step; what is learned is the score of the decoded masks. What it reaches, the
learning curve and what was tried are in experiments/results/quickstart.md.
"""

from configs import datasets, variants
from configs.genesis_v2 import _base


def get_config(variant: str = ""):
  config = _base.get_config(datasets.multi_dsprites)
  config.data.name = "multi_dsprites/32px_2-3_unique_train20000"
  config.data.side = 32
  config.data.objects = 3
  config.data.batch_size = 8
  model = config.model
  model.slots = 4
  model.features = 16
  model.norm_groups = 2
  model.encoder_coordinates = True
  model.own_colours = 8.0
  model.first_width = 8.0
  model.first_deviation = 0.1
  model.pixel_deviation = 0.3  # with 0.7 errors of colour weigh little against the KL terms
  model.geco.use = False
  model.mask_kl = True
  model.mask_kl_weight = 5.0
  model.detach_decoded_masks = False  # the decoder learns the masks of the attention
  config.train.schedules.beta = 0.2
  steps = 6000
  config.train.steps = steps

  def falling(rate):
    return dict(kind="cosine", peak=rate, steps=steps, end=0.05 * rate)

  # Embeddings that move lose the grouping long before the decoder can use it.
  grouping = r"^(embedding|log_kernel_width)"
  kernels = r"^(encoder/(up|down)|segmentation|feature|posterior|decoder).*kernel$"
  others = r"^(prior|encoder/mlp|(encoder|segmentation|feature|posterior|decoder).*(scale|bias)$)"
  groups = {
    grouping: dict(name="frozen"),
    kernels: dict(name="muon", rate=falling(0.02)),
    others: dict(name="adam", rate=falling(2e-3)),
  }
  config.train.updates = (dict(loss="elbo", clip=0.0, groups=groups),)
  config.train.report_every = 100
  config.train.checkpoint_every = 1000
  config.train.evaluate_every = 1000
  return variants.apply(config, variant)
