"""x."""

from configs import variants
from configs.object_pursuit import _pursuit


def get_config(variant: str = ""):
  config = _pursuit.get_config()
  return variants.apply(config, variant, published=_pursuit.published)
