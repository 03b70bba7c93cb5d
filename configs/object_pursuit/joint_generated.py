"""Object Pursuit, joint pretraining on twelve drawn objects, small enough for a laptop.

python -m experiments.train --config configs/object_pursuit/joint_generated.py --workdir runs/joint

600 steps of 8 views of one object at 64x64. What it reaches, and what it is good for on objects
it has not seen (oneshot_generated.py), is in experiments/results/object_pursuit.md.

Append `:smoke` for two steps on made-up scenes of these shapes, `:whole` to generate the backbone,
too, `:deeplab` for one network of all objects to compare with, `:published` to score as published.
"""

from configs import variants
from configs.object_pursuit import _base, _generated


def get_config(variant: str = ""):
  config = _generated.get_config()
  _base.joint(config, _generated.SEEN, steps_per_epoch=60)
  _generated.keep_out(config)
  config.data.by_object.only = _generated.NAMES[: _generated.SEEN]
  rate = dict(kind="piecewise", values=(1e-3, 4e-4), steps=(400,))
  learned = ("latents", "hypernetwork", "backbone")
  config.train.updates = _base.update(learned, rate, clip_value=0.1)
  config.train.steps = 600
  config.train.evaluate_every = 300
  return variants.apply(config, variant, **_base.JOINT_VARIANTS)
