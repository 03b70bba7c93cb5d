"""SCALOR as published: common.py of JindongJiang/SCALOR, and its MOTSynth extension.

The extension is orhunguley/unsupervised_object_learning.
"""

import ml_collections

from configs import datasets, sections

ANNEAL_STEPS = 500  # of the prior of presence, from 0.1
HEADLINE = ("elbo", "reconstruction", "objects", "tracked", "foreground_share", "mse")


def get_config() -> ml_collections.ConfigDict:
  """The published defaults; every config changes what it says.

  RMSprop at 4e-5 after one clip at 1. The published trainings are ended by hand.
  """
  config = sections.base()
  config.task = "objectcentric_jax.models.scalor.task"
  config.seed = 666

  config.data.side = 128
  config.data.batch_size = 20
  config.model = model_section(config)

  config.train.schedules = ml_collections.ConfigDict()
  with config.ignore_type():
    # 1 to 0.5 over 20,000 steps.
    config.train.schedules.temperature = dict(
      kind="exponential", start=1.0, rate=0.5, steps=20_000, end=0.5
    )
    # From this step on the gradients of objects flow back through time.
    config.train.schedules.time_gradient = dict(
      kind="piecewise", values=(0.0, 1.0), steps=(29_999,)
    )
    config.train.schedules.object_alpha = -1.0  # of all proposals; negative: as inferred
    config.train.schedules.mask_penalty = 0.0  # weight of alphas that are neither 0 nor 1
  presence_prior(config, 1e-3)
  optimise(config, 4e-5)
  config.train.steps = 100_000
  config.train.report_every = 100
  config.train.checkpoint_every = 1000
  config.train.evaluate_every = 5000
  config.train.headline = (
    "elbo",
    "reconstruction",
    "objects",
    "tracked",
    "foreground_share",
    "mse",
  )

  config.eval.images = 100
  config.eval.batch_size = 4
  config.eval.headline = ("elbo", "reconstruction", "mse")
  config.eval.best = "-elbo"
  return config


def model_section(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """`config.model` as published."""
  model = ml_collections.ConfigDict()
  model.side = config.data.get_ref("side")
  model.grid = 8  # cells along a side; one new object a cell and frame at most
  model.glimpse = 64
  model.latents = 64  # of what an object looks like
  model.recurrent = (64, 64)  # layers of the convolutional LSTM over frames; () for none
  model.widths = dict(
    frame_features=64,
    mask_features=32,
    glimpse_features=128,
    hidden=128,
    inputs=128,
    prior_hidden=64,
    prior_inputs=128,
    attention_hidden=64,
    attention_features=128,
    where_hidden=128,
    depth_hidden=128,
    presence_hidden=64,
    what_hidden=64,
  )
  # Sizes of objects: a share of the frame, and height over width; the prior that matters most.
  model.anchors = dict(scale=0.1, scale_range=0.03, ratio=2.5, ratio_range=0.5)
  model.step = 0.2  # how far objects move in a frame at most; the frame is 2 wide
  model.slots = 45  # most objects in training
  model.evaluation_slots = 90  # most objects otherwise, when nothing else limits them
  model.reject = True  # proposals over tracked objects, explained to this share
  model.explained_share = 0.3
  model.largest_logit = 8.8
  model.reuse_identities = False  # True numbers new objects as the published code does
  # kind: inferred, fixed (one latent for all frames) or none; decoder: shuffle, or the weaker
  # broadcast for trainings in which the background explains everything.
  model.background = dict(kind="inferred", decoder="shuffle", latents=10, hidden=32)
  model.fixed_backgrounds = 1  # latents of fixed ones: 1, or one for each of so many videos
  model.pixel_deviation = 0.1
  # Outside of training: the last values of the schedules.
  model.settled = dict(temperature=0.5, presence_prior=1e-3)
  model.observed_frames = 5  # of clips that are continued
  model.generated_frames = 10  # of clips from the prior
  model.generated_presence = 0.1  # probability of a new object in a cell of those
  model.likelihood_draws = 0  # of the importance-weighted likelihood in evaluation; 0: left out
  model.carried = False  # clips go on from those before them, as config.data.chunk cuts them
  model.perceptual = dict(
    use=False,
    weights="vgg16-397923af.pth",  # torchvision's; needed when a training starts
    layers=("relu1_2", "relu2_2"),
    deviation=0.1,
    weight=0.01,
  )
  model.adversarial = False
  # Frames are computed again for the gradient: kept, those of a published step take 50 GB.
  model.rematerialise = True
  model.unroll = 1  # loop steps over frames to unroll
  model.dtype = "float32"  # or bfloat16
  return model


def presence_prior(config: ml_collections.ConfigDict, end: float):
  """Probability of an object in a cell: from 0.1 to `end` over 500 steps."""
  config.model.settled.presence_prior = end
  end = config.model.settled.get_ref("presence_prior")
  first = 0.1 + (end - 0.1) / ANNEAL_STEPS  # the published steps begin at 1
  schedule = dict(kind="linear", start=first, end=end, steps=ANNEAL_STEPS - 1)
  with config.ignore_type():
    config.train.schedules.presence_prior = schedule


def optimise(config: ml_collections.ConfigDict, rate: float):
  """One RMSprop for all parameters, after a clip."""
  groups = {"": dict(name="rmsprop", rate=rate)}
  config.train.updates = (dict(loss="elbo", clip=1.0, groups=groups),)


def objects(config: ml_collections.ConfigDict, slots: int):
  """Room for so many objects, and for twice as many outside of training."""
  config.model.slots = slots
  config.model.evaluation_slots = 2 * slots


def hide_background(config: ml_collections.ConfigDict):
  """Variant: the background is hidden in the first 200 steps, so that objects must explain all."""
  schedule = dict(kind="piecewise", values=(0.9, -1.0), steps=(199,))
  with config.ignore_type():
    config.train.schedules.object_alpha = schedule


def broadcast_background(config: ml_collections.ConfigDict):
  """Variant: a decoder of the background that cannot paint objects."""
  config.model.background.decoder = "broadcast"


# Moving sprites and digits

DENSE = {"low": 30, "medium": 50, "high": 80, "very_high": 140}  # slots


def sprites(config: ml_collections.ConfigDict, density: str, kind: str, background: str = "flat"):
  """Clips of 128x128 of so many sprites or digits, with boxes of 8 to 28 pixels."""
  datasets.moving_sprites(config, density, kind, background)
  objects(config, DENSE[density])
  config.model.grid = 16 if density == "very_high" else 8
  config.model.glimpse = 32
  config.model.anchors = dict(scale=0.14, scale_range=0.08, ratio=1.0, ratio_range=0.3)


def sprite_variants(kind: str):
  """The denser clips by name."""

  def of(density: str, background: str = "flat"):
    return lambda config: sprites(config, density, kind, background)

  densities = {name: of(name) for name in ("medium", "high", "very_high")}
  return {**densities, "texture": of("high", "texture"), "carried": carry}


def carry(config: ml_collections.ConfigDict):
  """Variant: steps see half a clip, and what is known of its objects is carried to the rest."""
  config.data.chunk = config.data.frames // 2
  config.model.carried = True


def toy(config: ml_collections.ConfigDict):
  """What the authors advise for toy data of few objects."""
  objects(config, 10)
  config.model.grid = 4
  config.model.glimpse = 32
  config.model.latents = 8
  config.model.anchors = dict(scale=0.18, scale_range=0.1, ratio=1.0, ratio_range=0.3)
  config.model.pixel_deviation = 0.2
  config.model.rematerialise = False
  presence_prior(config, 1e-4)
  optimise(config, 5e-4)
  config.train.steps = 20_000


# The MOTSynth extension


def extension(config: ml_collections.ConfigDict):
  """Batches of 8, as all trainings of the extension."""
  config.data.batch_size = 8
  config.data.workers = 4
  config.train.steps = 20_000
  config.train.evaluate_every = 2000


def perceptual(config: ml_collections.ConfigDict):
  """Variant: the perceptual loss; needs the weights of VGG16."""
  config.model.perceptual.use = True


def adversarial(config: ml_collections.ConfigDict, period: int = 5):
  """Variant: a discriminator, in the first step and every `period`-th."""
  config.model.adversarial = True
  rmsprop, frozen = dict(name="rmsprop", rate=4e-5), dict(name="frozen")
  judge, others = "^discriminator/", "^(?!discriminator/)"
  config.train.updates = (
    dict(loss="elbo", clip=1.0, groups={others: rmsprop, judge: frozen}),
    dict(
      loss="discriminator",
      clip=0.0,
      groups={others: frozen, judge: rmsprop},
      when="adversarial_weight",
    ),
  )
  schedule = dict(kind="periodic", value=1000.0, period=period, first=period - 1, also=(0,))
  with config.ignore_type():
    config.train.schedules.adversarial_weight = schedule
  config.train.headline = (*(f"elbo/{name}" for name in HEADLINE), "discriminator/loss")


def perceptual_adversarial(config: ml_collections.ConfigDict):
  """Variant: both losses of the extension."""
  perceptual(config)
  adversarial(config, period=10)


def fixed_background(config: ml_collections.ConfigDict):
  """Variant: one latent for the background of all frames, which one camera asks for."""
  config.model.background.kind = "fixed"


def fixed_backgrounds(videos: int):
  """Variant: a latent for the background of each video, which cameras that stand still ask for."""

  def change(config: ml_collections.ConfigDict):
    uncropped_fixed_background(config)
    config.model.fixed_backgrounds = videos
    clip, *steps = (dict(step) for step in config.data.preprocess)
    config.data.preprocess = (clip | {"numbered": True}, *steps)

  return change


def uncropped_fixed_background(config: ml_collections.ConfigDict):
  """Variant: the same, and the same square of all frames, so that it is one picture."""
  fixed_background(config)
  steps = [dict(step) for step in config.data.preprocess]
  square = dict(name="crop", top=0, left=0, height=STORED_ROWS, width=STORED_ROWS)
  config.data.preprocess = tuple(square if s["name"] == "square_crop" else s for s in steps)


def grid(cells: int):
  """Variant: so many cells along a side."""

  def change(config: ml_collections.ConfigDict):
    config.model.grid = cells

  return change


STORED_ROWS = 256  # of the frames that data.prepare makes of MOTSynth
VARIANTS = {"hidden_background": hide_background, "broadcast_background": broadcast_background}
EXTENSION_VARIANTS = {
  "perceptual": perceptual,
  "adversarial": adversarial,
  "perceptual_adversarial": perceptual_adversarial,
  "fixed_background": fixed_background,
  "uncropped_fixed_background": uncropped_fixed_background,
  "grid6": grid(6),
  "grid7": grid(7),
}
