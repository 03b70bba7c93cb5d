"""SPACE on generated 3D rooms, small enough for a laptop: 64x64, grid of 8.

python -m experiments.train --config configs/space/generated_rooms.py --workdir runs/rooms

20,000 steps of 12 images of 4 to 8 objects. The published design and schedules five times as fast,
with glimpses of half the size; nothing of this size was published.

Append `:laptop` for a training of 1,500 steps that one core finishes in half an hour, `:smoke` for
two steps on made-up scenes of these shapes.
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
  config.eval.headline = (*config.eval.headline, "fg_ari/objects", "fg_miou/objects")
  return variants.apply(config, variant, laptop=laptop)


def laptop(config):
  """The small training of `_base.laptop`; it takes objects for 4 to 8 pixels of 64.

  At first the foreground has a fixed share, so that it learns to draw what it sees, and which cells
  hold objects is left as it began: with nothing to lose, it would say that all of them do.
  """
  begin = 200
  config.data.name = "generated_rooms3d/64px_4-8_train8000_validation500_test500"
  config.data.batch_size = 4
  _base.laptop(config, size=-2.0, begin=begin)
  _base.fix_alpha(config, 0.2, begin)
  _base.boundary_until(config, 700, first=begin)
  rates = {"presence_head/": _base.waiting(1e-3, begin), "(?!presence_head/)": 3e-4}
  _base.small_updates(config, rates)
  config.train.steps = 1500
  config.train.evaluate_every = 150
