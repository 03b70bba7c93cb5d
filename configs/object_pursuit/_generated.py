"""Object Pursuit on drawn objects, small enough for two cores: what the laptop configs share."""

import ml_collections

from configs.object_pursuit import _base

DATASET = "object_folders/64px_16objects_train40_validation8_test8"
SEEN, ALL = 12, 16  # objects of the joint training come first
NAMES = tuple(f"data_Generated_Object{number:03d}" for number in range(ALL))


def get_config() -> ml_collections.ConfigDict:
  """64x64 pixels, networks of about an eighth of the width, latents of 32 numbers."""
  config = _base.get_config()
  config.data.side = 64
  _base.views(config, DATASET, crop=False)
  config.model.widths.update(backbone=16, aspp=32, low=12, decoder=32)
  config.model.unet_width = 16
  config.model.latent_size = 32
  config.model.bases = 16
  config.model.dropout = "never"  # half of so few channels cannot be missed
  config.model.rematerialise = False
  config.train.report_every = 20
  config.train.checkpoint_every = 100
  return config


def keep_out(config: ml_collections.ConfigDict):
  """Scores the views that the set keeps out."""
  config.data.by_object.held_out = 0.0
  config.eval.split = "validation"
  config.eval.test_split = "test"
