"""Object Pursuit of twelve drawn objects, at the published sizes or, as `:laptop`, on two cores.

python -m experiments.pursuit --config configs/object_pursuit/pursuit_generated.py --workdir runs/p

As `:laptop`, six objects arrive in 64x64 pixels, three of them twice. It starts from the networks
of a joint training of other objects (joint_generated.py), or, without them, from nothing, so that
the first object trains the backbone, too. What came out, with trainings over the bases that ended
at a lower score, is in experiments/results/object_pursuit_loop.md.

python -m experiments.pursuit --config configs/object_pursuit/pursuit_generated.py:laptop
    --workdir runs/p --config.pursuit.hypernetwork=runs/joint --config.pursuit.backbone=runs/joint
python -m experiments.pursuit --workdir runs/p --eval

Append `:smoke` for two steps of every training on made-up scenes of these shapes, `:published` for
what the published code does otherwise.
"""

from configs import variants
from configs.object_pursuit import _base, _pursuit


def get_config(variant: str = ""):
  config = _pursuit.get_config()
  _base.views(config, "object_folders/256px_12objects", crop=False)
  return variants.apply(config, variant, laptop=laptop, **_pursuit.VARIANTS)


def laptop(config):
  """Variant: small pictures, narrow networks, few and large steps."""
  config.data.name = "object_folders/64px_6objects_train60_validation12_test24_seed7"
  config.data.side = 64
  config.data.batch_size = 8
  config.eval.batch_size = 8
  config.model.widths.update(backbone=16, aspp=32, low=12, decoder=32)
  config.model.latent_size = 32
  config.model.bases = 8
  config.model.known = 4
  config.model.dropout = "never"  # half of so few channels cannot be missed
  config.model.rematerialise = False
  section = config.pursuit
  section.threshold = 0.6
  section.repeat_every = 2
  section.held_out = 0.2
  section.learn.update(epochs=40, patience=30, enough=0.72, rate=5e-4)
  for stage in (section.express, section.check, section.simplify):
    enough = section.get_oneway_ref("threshold")  # one each: whoever shares one shares its changes
    stage.update(epochs=8, patience=3, enough=enough, rate=1e-2)
