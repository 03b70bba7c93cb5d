"""x."""

from configs import variants
from configs.object_pursuit import _pursuit


def get_config(variant: str = ""):
  config = _pursuit.get_config()
  _pursuit.patient(config)
  return variants.apply(config, variant, published=published)


def published(config):
  """Variant: as the published code, which scores with the frames that it trains with."""
  _pursuit.published(config)
  config.pursuit.held_out = 1.0
