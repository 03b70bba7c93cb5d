"""SPACE as published: config.py and arch.py of zhixuan-lin/SPACE, the defaults of every config."""

import ml_collections

from configs import sections


def get_config() -> ml_collections.ConfigDict:
  """The published defaults; every config changes what it says.

  RMSprop at 1e-5 moves the foreground and Adam at 1e-3 the background, after one clip of the
  gradients of both.
  """
  config = sections.base()
  config.task = "objectcentric_jax.models.space.space"
  config.seed = 8848

  config.data.side = 128
  model = config.model
  model.side = config.data.get_ref("side")
  model.grid = 8  # cells along a side; one object a cell at most
  model.glimpse = 32
  model.encoder_features = 128
  model.object_latents = 32
  model.foreground_deviation = 0.15  # the smaller one of the two takes what both can explain
  model.background_deviation = 0.15
  model.scale_prior_deviation = 0.1
  model.background_components = 5
  model.background_features = 64
  model.mask_latents = 32
  model.component_latents = 32
  model.mask_hidden = 64
  model.component_prior_hidden = 64
  # Outside of training: the last values of the schedules.
  model.settled = dict(presence_prior=0.01, scale_prior_mean=-2.0, presence_temperature=2.5)
  model.rematerialise = False  # True saves memory on grids of 16
  model.unroll = 0  # loop steps to unroll; 0 unrolls on the CPU only
  model.dtype = "float32"  # or bfloat16

  anneal(config, "presence_prior", 0.1, 0.01, 4000, 10_000)
  # Logit of the expected size of objects as a share of the image: the prior that matters most.
  anneal(config, "scale_prior_mean", -1.0, -2.0, 10_000, 20_000)
  anneal(config, "presence_temperature", 2.5, 2.5, 0, 10_000)
  config.train.schedules.fixed_alpha = -1.0  # negative: as inferred
  config.train.schedules.fixed_presence = -1.0  # as well
  boundary_until(config, 100_000_000)

  foreground = dict(name="rmsprop", rate=1e-5)
  background = dict(name="adam", rate=1e-3)
  groups = {"^foreground/": foreground, "^background/": background}
  config.train.updates = (dict(loss="elbo", clip=1.0, groups=groups),)
  config.train.steps = 1_000_001
  config.train.report_every = 500
  config.train.checkpoint_every = 1000
  config.train.evaluate_every = 1000
  config.train.keep_checkpoints = 4
  config.train.headline = ("elbo", "reconstruction", "kl_what", "objects", "foreground_share")

  config.data.batch_size = 12
  config.eval.images = 500
  config.eval.batch_size = 12
  config.eval.sample = False  # the published evaluation draws latents
  return config


def anneal(
  config: ml_collections.ConfigDict, name: str, start: float, end: float, begin: int, until: int
):
  """From `start` at step `begin` to `end`, which stays, at step `until`."""
  config.model.settled[name] = end
  end = config.model.settled.get_ref(name)  # one setting, not two
  schedule = dict(kind="linear", start=start, end=end, steps=until - begin, begin=begin)
  _set_schedule(config, name, schedule)


def fix_alpha(config: ml_collections.ConfigDict, share: float, steps: int):
  """Gives the foreground this share of every pixel before step `steps`, but not at step 0."""
  schedule = dict(kind="piecewise", values=(-1.0, share, -1.0), steps=(1, steps))
  _set_schedule(config, "fixed_alpha", schedule)


def boundary_until(config: ml_collections.ConfigDict, last: int, first: int = 0):
  """Keeps objects off the rims of their boxes from `first` to this step; 0 for not at all."""
  schedule = dict(kind="piecewise", values=(1.0, 0.0), steps=(last + 1,))
  if first:
    schedule = dict(kind="piecewise", values=(0.0, 1.0, 0.0), steps=(first, last + 1))
  _set_schedule(config, "boundary_weight", schedule if last else 0.0)


def _set_schedule(config: ml_collections.ConfigDict, name: str, schedule: dict | float):
  with config.ignore_type():
    config.train.schedules[name] = schedule


def rooms(config: ml_collections.ConfigDict, size: str):
  """The published 3D rooms, `small` or `large`; validation and test have boxes."""
  config.data.name = f"obj3d/{size}"
  config.data.fields = ("image", "bboxes?", "num_objects?")
  config.data.preprocess = (dict(name="resize", method="pillow_bilinear"),)
  config.data.objects = {"small": 8, "large": 24}[size]
  config.train.steps = 160_001
  anneal(config, "presence_temperature", 2.5, 0.5, 0, 20_000)
  boundary_until(config, 100_000)
  config.eval.best = "ap"  # the mean over ten overlaps, as published
  config.eval.headline = ("ap", "ap_50", "count_accuracy", "count_error", "mse")


def atari(config: ml_collections.ConfigDict, games: str):
  """Pictures of one game, or of the ten of "joint"; nothing is labelled.

  They are read in true colours; published checkpoints want them in the order of their files, see
  `published_colours`.
  """
  config.data.name = f"atari/{games}"
  config.data.fields = ("image",)
  resize = dict(name="resize", method="pillow_bilinear")
  config.data.preprocess = (resize, dict(name="channel_order", order="rgb"))
  config.data.objects = 8
  config.model.grid = 16
  config.model.background_components = 3
  config.model.foreground_deviation = 0.2
  config.model.background_deviation = 0.1
  config.train.steps = 100_001
  config.train.evaluate_every = 0
  boundary_until(config, 0)
  without_labels(config)


def joint_training(config: ml_collections.ConfigDict):
  """The schedules of the joint training, with which its authors advise to start on new games."""
  config.seed = 1
  anneal(config, "presence_prior", 0.1, 1e-10, 10_000, 15_000)
  anneal(config, "scale_prior_mean", -2.0, -2.5, 0, 20_000)
  fix_alpha(config, 0.1, 4000)


def published_colours(config: ml_collections.ConfigDict):
  """Variant: red and blue exchanged, as checkpoints of the published Atari trainings want it."""
  *others, _ = config.data.preprocess
  config.data.preprocess = (*others, dict(name="channel_order", order="bgr"))


def laptop(config: ml_collections.ConfigDict, size: float, begin: int):
  """Small enough for one core: one background component of the stronger kind, small glimpses, Adam.

  Until step `begin` cells hold objects for nothing; then they are asked which ones do.

  Args:
    config: to change.
    size: logit of the expected size of objects, as a share of the image.
    begin: when the prior of the presence begins to fall and draws of it become harder.
  """
  config.data.side = 64
  config.model.grid = 8
  config.model.glimpse = 8
  config.model.background_components = 1
  config.model.scale_prior_deviation = 0.3
  anneal(config, "presence_prior", 0.1, 0.01, begin, begin + 300)
  anneal(config, "presence_temperature", 2.5, 0.5, begin, begin + 400)
  anneal(config, "scale_prior_mean", size, size, 0, 1)
  config.train.report_every = 25
  config.train.checkpoint_every = 75
  config.eval.images = 96


def small_updates(config: ml_collections.ConfigDict, foreground: dict):
  """Adam at 1e-3 for the background, and for parts of the foreground at these rates."""
  groups = {
    f"^foreground/{part}": dict(name="adam", rate=rate) for part, rate in foreground.items()
  }
  groups["^background/"] = dict(name="adam", rate=1e-3)
  config.train.updates = (dict(loss="elbo", clip=1.0, groups=groups),)


def waiting(rate: float, steps: int) -> dict:
  """A rate of 0 for the first steps."""
  return dict(kind="piecewise", values=(0.0, rate), steps=(steps,))


def atari_laptop(config: ml_collections.ConfigDict):
  """Variant: 3,000 pictures of a game, 64 pixels, 8 of them a step.

  Sprites are a hundredth of a picture, so that nothing would be seen of them while all of it is
  new. Hence the background learns alone at first; then every cell draws an object, with a presence
  that is given, until sprites are drawn; then cells are asked which ones hold any.
  """
  alone, begin = 150, 400
  config.data.name = f"{config.data.name}_train3000"
  config.data.batch_size = 8
  laptop(config, size=-2.5, begin=begin)
  small_updates(config, {"": waiting(3e-4, alone)})
  _set_schedule(config, "fixed_alpha", dict(kind="piecewise", values=(0.0, -1.0), steps=(alone,)))
  given = dict(kind="piecewise", values=(1.0, -1.0), steps=(begin,))
  _set_schedule(config, "fixed_presence", given)
  config.train.steps = 1500
  config.train.evaluate_every = 0


def without_labels(config: ml_collections.ConfigDict):
  """The best checkpoint is that of the smallest negative ELBO."""
  config.eval.best = "-elbo"
  config.eval.headline = ("elbo", "reconstruction", "mse")


ATARI_VARIANTS = {"published_colours": published_colours, "laptop": atari_laptop}
