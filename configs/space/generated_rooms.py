"""SPACE on generated 3D rooms, small enough for a laptop: 64x64, grid of 8.

python -m experiments.train --config configs/space/generated_rooms.py --workdir runs/rooms

20,000 steps of 12 images of 4 to 8 objects. The published design and schedules five times as fast,
with glimpses of half the size; nothing of this size was published.

Append `:laptop` for a training that one core finishes in less than an hour, `:smoke` for two steps
on made-up scenes of these shapes.
"""

from configs import variants
from configs.space import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.rooms(config, "small")
  config.data.name = "generated_rooms3d/64px_4-8"
  config.data.side = 64
  config.data.fields = ("image", "segmentation?", "bboxes?", "num_objects?")
  config.model.glimpse = 16
  config.train.steps = 20_000
  _base.anneal(config, "presence_prior", 0.1, 0.01, 800, 2000)
  _base.anneal(config, "scale_prior_mean", -1.0, -2.0, 2000, 4000)
  _base.anneal(config, "presence_temperature", 2.5, 0.5, 0, 4000)
  config.eval.best = "fg_ari/objects"
  config.eval.headline = ("fg_ari/objects", "ari/objects", "elbo", "mse")
  return variants.apply(config, variant, laptop=laptop)


def laptop(config):
  """One background component of the stronger kind, small glimpses, Adam, short schedules."""
  config.data.name = "generated_rooms3d/64px_4-8_train8000_validation500_test500"
  config.data.batch_size = 8
  config.model.background_components = 1
  config.model.glimpse = 8
  config.model.scale_prior_deviation = 0.3
  config.train.steps = 2000
  _base.anneal(config, "presence_prior", 0.1, 0.01, 200, 600)
  _base.anneal(config, "scale_prior_mean", -2.0, -2.0, 0, 1)
  _base.anneal(config, "presence_temperature", 2.5, 0.5, 0, 600)
  _base.fix_alpha(config, 0.1, 100)
  _base.boundary_until(config, 800)
  groups = {"^foreground/": dict(name="adam", rate=3e-4), "^background/": dict(name="adam", rate=1e-3)}
  config.train.updates = (dict(loss="elbo", clip=1.0, groups=groups),)
  config.train.report_every = 25
  config.train.checkpoint_every = 200
  config.train.evaluate_every = 200
  config.eval.images = 100
