"""x."""

from configs import sections, variants
from configs.object_pursuit import _pursuit


def get_config(variant: str = ""):
  config = sections.base()
  _pursuit.pursuit(config)
  return variants.apply(config, variant, published=_pursuit.published)
