"""Variants every config offers: `--config FILE.py:VARIANT`."""

import ml_collections


def apply(config: ml_collections.ConfigDict, variant: str, **others) -> ml_collections.ConfigDict:
  """The config, or its variant.

  `smoke` takes two steps on made-up scenes of the same shapes; `others` are functions that change
  the config, by the name of the variant.

  Raises:
    ValueError: no such variant.
  """
  known = {"smoke": smoke, **others}
  if not variant:
    return config
  if variant not in known:
    raise ValueError(f"unknown variant {variant!r}; there are: {', '.join(known)}")
  known[variant](config)
  return config


def smoke(config: ml_collections.ConfigDict):
  """Two steps on made-up scenes of the same shapes, and one evaluation."""
  config.data.name = "generated"
  config.data.batch_size = 8
  config.train.steps = 2
  config.train.report_every = 1
  config.train.checkpoint_every = 2
  config.train.evaluate_every = 0
  config.eval.images = 8
  config.eval.batch_size = 8
