"""x."""

from configs import variants
from configs.object_pursuit import _pursuit


def get_config(variant: str = ""):
  config = _pursuit.get_config()
  config.data.name = "object_folders/256px_12objects"
  return variants.apply(config, variant, laptop=laptop)


def laptop(config):
  """Variant: small pictures and a narrow head."""
  config.data.name = "object_folders/64px_12objects_train60_validation12_test24"
  config.data.side = 64
  config.model.widths = dict(backbone=64, aspp=32, low=12, decoder=40)
  config.model.latent_size = 16
  config.data.batch_size = 8
  config.eval.batch_size = 8
