"""What the configs of Loci-Segmented share: its published widths, optimiser and data.

`config.model` of the first stages:

  part        "mask", "depth", "rgb" or "embedding" (objectcentric_jax/models/loci/pretraining.py)
  passes      0 for stage 1, 3 for stage 2 (objectcentric_jax/models/loci/encoder_decoder.py)
  input_depth whether the encoder (the background) sees the depth
  gestalt     size of a code; a slot has one each for mask, depth and colours
  embedding   channels and expansion of the layers between pixels and patches
  encoder     channels at a quarter of the resolution, blocks, and channels of the hyper-network
  decoder     layers of each decoder, and the encoder it is first trained with
  rgb_loss    "ycbcr_l2_ssim" or "l1_ssim"
  initial_size of the Gaussian that points at the object; below a pixel as published
  stretch, position_stretch
              of the curricula of stage 2: passes, and the loss of positions; 1 as published
  squashed_deviation  for published checkpoints with the flag `legacy`, set when they are imported
  rematerialise       compute again in the backward pass what would fill the memory

Batches of objects hold `image`, `depth` and the `mask` of one object; those of the background two
frames of a `video`, with `depth` and the foreground's `mask`.
"""

import ml_collections

from configs import sections, variants

TRAINED = {"name": "ranger", "rate": 1e-4, "weight_decay": 1e-3}
FROZEN = {"name": "frozen"}
WEIGHTS = {"a": 7.1, "b": 6.4, "c": 6.1, "d": 11.1, "e": 13.3, "f": 7.5}  # of MOVi's sets
MOVING_CAMERA = ("e", "f")
# Distance that becomes depth 1. How the authors scaled depth to 8 bits is not known; their own HDF5
# files (data/loci_hdf5) hold depth between 0 and 1.
FAR = {"a": 20.0, "b": 40.0, "c": 80.0, "d": 80.0, "e": 80.0, "f": 80.0}
NOT_HYPER = r"^encoder/(hyper_weights/|priority/|[a-z]+/gain$)"  # what stage 1 does not use
PRIORITY = r"^encoder/priority/"


def get_config() -> ml_collections.ConfigDict:
  """A training of one stage without its model and data."""
  config = sections.base()
  config.data.side = 256
  config.data.batch_size = 32
  config.data.memory = 1.0
  config.data.workers = 4
  config.train.steps = 500_000
  config.train.report_every = 100
  config.train.checkpoint_every = 3000
  config.eval.images = 320
  return config


def train(config: ml_collections.ConfigDict, loss: str, frozen: str = ""):
  """Every parameter is moved but those whose path matches `frozen`."""
  groups = (
    {f"^(?!{frozen.removeprefix('^')})": TRAINED, frozen: FROZEN} if frozen else {"": TRAINED}
  )
  config.train.updates = (dict(loss=loss, clip=0.0, groups=groups),)


def sizes(config: ml_collections.ConfigDict):
  """The published widths."""
  config.model.height = config.data.get_ref("side")
  config.model.width = config.data.get_ref("side")
  config.model.gestalt = 256
  config.model.embedding = dict(
    mask=dict(channels=32, expansion=4),
    depth=dict(channels=64, expansion=4),
    rgb=dict(channels=128, expansion=4),
  )
  config.model.encoder = dict(channels=32, blocks=(1, 1, 3, 2), hyper_channels=256)
  config.model.decoder = dict(
    mask=dict(encoder_blocks=(2, 4), encoder_channels=256),
    depth=dict(layers=3, encoder_blocks=(2, 4), encoder_channels=256),
    rgb=dict(layers=5, encoder_blocks=(4, 8), encoder_channels=256),
  )
  config.model.rgb_loss = "ycbcr_l2_ssim"
  config.model.squashed_deviation = False
  config.model.rematerialise = False
  config.model.dtype = "float32"


def small_sizes(config: ml_collections.ConfigDict):
  """Widths for pictures of 64x64 pixels on a laptop; nothing of this size was published."""
  config.data.side = 64
  config.data.batch_size = 16
  config.data.workers = 0
  config.data.memory = 4.0
  config.model.gestalt = 48
  config.model.embedding = dict(
    mask=dict(channels=12, expansion=2),
    depth=dict(channels=16, expansion=2),
    rgb=dict(channels=24, expansion=2),
  )
  config.model.encoder = dict(channels=16, blocks=(1, 1, 2, 1), hyper_channels=32)
  config.model.decoder = dict(
    mask=dict(encoder_blocks=(1, 1), encoder_channels=48),
    depth=dict(layers=1, encoder_blocks=(1, 1), encoder_channels=48),
    rgb=dict(layers=2, encoder_blocks=(1, 1), encoder_channels=48),
  )
  config.train.report_every = 50
  config.train.checkpoint_every = 500
  config.eval.images = 96
  config.eval.batch_size = 16


def small_objects(config: ml_collections.ConfigDict):
  """Stages 1 and 2 on generated objects, which are pointed at with a blob in place of one pixel."""
  small_sizes(config)
  generated_objects(config)
  config.model.initial_size = 0.1


def small_training(config: ml_collections.ConfigDict, steps: int, rate: float = 3e-3):
  """So many steps at a rate that falls to a tenth; the published ones are long and constant."""
  config.train.steps = steps
  falling = dict(kind="linear", start=rate, end=rate / 10, steps=steps)
  with config.ignore_type():
    for update in config.train.updates:
      for group in update["groups"].values():
        if group["name"] != "frozen":
          group["rate"] = falling


def part(config: ml_collections.ConfigDict, name: str):
  """The model of a first stage: one decoder, or the embeddings of patches."""
  config.task = "objectcentric_jax.models.loci.pretraining"
  config.model.part = name
  sizes(config)
  train(config, "reconstruction")
  scored = {
    "mask": ("iou", ("mask_loss", "mean_iou")),
    "depth": ("-depth_error", ("depth_loss", "depth_l1", "depth_ssim")),
    "rgb": ("-colour_error", ("rgb_loss", "rgb_l1", "rgb_ssim")),
    "embedding": ("iou", ("mask_loss", "depth_loss", "rgb_loss")),
  }
  config.eval.best, config.train.headline = scored[name]
  config.eval.headline = ("iou", "colour_error", "depth_error")


def encoder_decoder(config: ml_collections.ConfigDict, passes: int, input_depth: bool):
  """The model of stage 1 (no passes) or stage 2 (three)."""
  config.task = "objectcentric_jax.models.loci.encoder_decoder"
  config.model.passes = passes
  config.model.input_depth = input_depth
  config.model.initial_size = -1.0
  config.model.stretch = 1.0
  config.model.position_stretch = 1.0
  sizes(config)
  train(config, "reconstruction", PRIORITY if passes else NOT_HYPER)
  config.eval.best = "iou"
  config.train.headline = ("mask_loss", "rgb_loss", "depth_loss", "position_loss", "mean_iou")
  config.eval.headline = ("iou", "colour_error", "depth_error")


def background(config: ml_collections.ConfigDict, input_depth: bool):
  """The model of the background's stage."""
  config.task = "objectcentric_jax.models.loci.background_training"
  config.model.height = config.data.get_ref("side")
  config.model.width = config.data.get_ref("side")
  config.model.input_depth = input_depth
  config.model.background = dict(
    latents=64 if input_depth else 128,
    layers=2 if input_depth else 4,
    context=256,
    threshold=0.1,
  )
  config.model.supervision = 0.1
  # Of a dataset, unless the mixture says otherwise.
  config.model.colour_input = 1.0
  config.model.static = 0.0
  config.model.uncertainty_regulariser = 0.0
  config.model.rgb_weight = 0.0
  config.model.depth_weighting = 0.0
  config.model.dtype = "float32"
  train(config, "background")
  config.train.schedules.rgb_warmup = 0.0
  config.train.schedules.depth_warmup = 0.0
  config.eval.best = "-background_error"
  config.train.headline = ("rgb_loss", "depth_loss", "supervised_uncertainty_loss", "uncertainty")
  config.eval.headline = ("foreground_iou", "background_error")


def small_background(config: ml_collections.ConfigDict):
  """The background for 64x64 pixels."""
  config.model.background = dict(latents=32, layers=2, context=64, threshold=0.1)
  config.data.side = 64
  config.data.batch_size = 16
  config.data.workers = 0
  config.data.memory = 4.0
  config.train.report_every = 50
  config.train.checkpoint_every = 500
  config.eval.images = 24
  config.eval.batch_size = 8


def movi_objects(config: ml_collections.ConfigDict):
  """Single objects of MOVi-A to F; published files of F have 512 pixels."""
  config.data.name = "movi/a_256px_depth"
  config.data.fields = ("video", "segmentation", "depth")
  steps = (dict(name="one_object"), dict(name="object_crop"))
  config.data.mixture = _movi(WEIGHTS, dict(name="stills"), steps)
  config.data.preprocess = config.data.mixture[0]["preprocess"]


def movi_pairs(config: ml_collections.ConfigDict):
  """Pairs of frames of MOVi-A to F, all of equal weight; the camera moves in E and F alone."""
  config.data.name = "movi/a_256px_depth"
  config.data.fields = ("video", "segmentation", "depth")
  config.data.frames = 2
  steps = (dict(name="scale_crop_flip"), dict(name="foreground_mask"))
  mixture = _movi(dict.fromkeys(WEIGHTS, 1.0), dict(name="pair"), steps)
  for letter, described in zip(WEIGHTS, mixture, strict=True):
    described["constants"] = {
      "static": float(letter not in MOVING_CAMERA),
      "colour_input": float(letter != "a"),
    }
  config.data.mixture = mixture
  config.data.preprocess = mixture[0]["preprocess"]


def _movi(weights, first, steps) -> tuple[dict, ...]:
  def described(letter, weight):
    side = 512 if letter == "f" else 256
    depth = dict(name="scale_depth", near=0.0, far=FAR[letter])
    return dict(
      name=f"movi/{letter}_{side}px_depth", weight=weight, preprocess=(first, depth, *steps)
    )

  return tuple(described(letter, weight) for letter, weight in weights.items())


GENERATED_NAME = "generated_movi/64px_2-4_large_frames12_depth_train400"
GENERATED_DEPTH = dict(name="scale_depth", near=4.0, far=24.0)


def generated_objects(config: ml_collections.ConfigDict):
  """Single objects of generated videos of falling solids."""
  config.data.name = GENERATED_NAME
  config.data.fields = ("video", "segmentation", "depth")
  crop = dict(name="object_crop", margin=2.0, border=6)
  config.data.preprocess = (
    *(dict(name="stills"), GENERATED_DEPTH, dict(name="one_object", pixels=32)),
    crop,
  )


def generated_pairs(config: ml_collections.ConfigDict):
  """Pairs of frames of generated videos of falling solids; the camera does not move."""
  config.data.name = GENERATED_NAME
  config.data.fields = ("video", "segmentation", "depth")
  config.data.frames = 2
  config.data.preprocess = (
    *(dict(name="pair"), GENERATED_DEPTH, dict(name="scale_crop_flip")),
    dict(name="foreground_mask"),
  )
  config.model.static = 1.0


# The whole model over time, and proposals. `config.model` of Loci itself:
#
#   slots            of the model; in the proposals' section, of the proposal network
#   mode             "random", "regularization" or "segmentation": how slots find their objects
#   teacher_forcing  how often the first frame is looked at before a video; the losses of position
#                    and appearance begin after as many frames
#   free_steps       predictions of a single image after that
#   permanence_start, permanence_strength  how soon and how much slots believe that objects last
#   drop_over_batch  compare the similarity of slots over the whole batch, as published
#   mutual_information  score it as well, which is slow
#   weights          of reconstruction, position and appearance against predictions

CHUNK = 2  # frames of an optimiser's step


def loci(config: ml_collections.ConfigDict, input_depth: bool, mode: str = "random"):
  """The published whole model; the background is not trained."""
  config.task = "objectcentric_jax.models.loci.loci"
  model = config.model
  sizes(config)
  model.decoder = dict(depth=dict(layers=3), rgb=dict(layers=5))
  model.slots = 16
  model.mode = mode
  model.input_depth = input_depth
  model.teacher_forcing = 10
  model.free_steps = 9
  model.drop_over_batch = False
  model.permanence_start = -1.0
  model.permanence_strength = 1.0
  model.mutual_information = False
  latents, layers = (64, 2) if input_depth else (128, 4)
  model.background = dict(latents=latents, layers=layers, context=256, threshold=0.1)
  model.predictor = dict(channels=1024, layers=3, heads=1, opening_cost=1e-8)
  model.update_gate = dict(channels=256, layers=3, noise=0.1, opening_cost=1e-5)
  model.proposal = proposal_sizes(input_depth)
  model.weights = dict(reconstruction=0.1, position=1.0, appearance=1.0)
  model.rematerialise = True
  train(config, "prediction", "^background/")
  config.data.chunk = CHUNK
  config.data.lead = 10
  config.data.frames = 24
  config.data.batch_size = 1
  config.eval.batch_size = 1
  config.eval.best = "iou"
  config.eval.images = 32
  config.train.checkpoint_every = 1020  # 60 videos
  config.train.report_every = 102
  config.train.headline = ("prediction_rgb", "prediction_depth", "position", "prediction_slots")
  config.eval.headline = ("iou", "fg_ari_clips", "prediction/iou")


def proposal_sizes(input_depth: bool) -> dict:
  """The published proposal networks."""
  channels, blocks = (64, (1, 2, 3, 1)) if input_depth else (128, (1, 2, 4, 2))
  return dict(slots=16, channels=channels, encoder_blocks=blocks, decoder_blocks=(1, 1, 1, 1))


def small_loci(config: ml_collections.ConfigDict):
  """The whole model for 64x64 pixels on a laptop."""
  small_sizes(config)
  model = config.model
  model.decoder = dict(depth=dict(layers=1), rgb=dict(layers=2))
  model.slots = 5
  model.background = dict(latents=32, layers=2, context=64, threshold=0.1)
  model.predictor = dict(channels=160, layers=2, heads=1, opening_cost=1e-8)
  model.update_gate = dict(channels=64, layers=3, noise=0.1, opening_cost=1e-5)
  model.proposal = dict(
    slots=4, channels=16, encoder_blocks=(1, 1, 1, 1), decoder_blocks=(1, 1, 1, 1)
  )
  model.teacher_forcing = 4
  model.rematerialise = False
  config.data.lead = 4
  config.data.frames = 12
  config.data.batch_size = 4
  config.eval.images = 40
  config.eval.batch_size = 4
  config.train.report_every = 48
  config.train.checkpoint_every = 480


def proposal(config: ml_collections.ConfigDict, input_depth: bool):
  """The proposal network and its training."""
  config.task = "objectcentric_jax.models.loci.proposing"
  config.model.proposal = proposal_sizes(input_depth)
  config.model.input_depth = input_depth
  config.model.published_targets = False
  config.model.dtype = "float32"
  train(config, "proposal")
  config.eval.best = "fg_ari"
  config.train.headline = ("position", "masks", "iou")
  config.eval.headline = ("fg_ari", "fg_msc")


def small_proposal(config: ml_collections.ConfigDict):
  """Proposals for 64x64 pixels."""
  config.model.proposal = dict(
    slots=4, channels=16, encoder_blocks=(1, 1, 1, 1), decoder_blocks=(1, 1, 1, 1)
  )
  config.data.side = 64
  config.data.batch_size = 16
  config.data.workers = 0
  config.data.memory = 4.0
  config.train.report_every = 50
  config.train.checkpoint_every = 500
  config.eval.images = 96
  config.eval.batch_size = 16


def one_clip(config: ml_collections.ConfigDict):
  """The smoke variant of what is too large for eight clips at once."""
  variants.smoke(config)
  config.data.batch_size = 1
  config.eval.batch_size = 1
  config.eval.images = 1


def movi_videos(config: ml_collections.ConfigDict, letters: str = "abcdef"):
  """Whole videos of MOVi's sets of these letters, cropped a little in training."""
  config.data.fields = ("video", "segmentation", "depth")
  weights = {letter: WEIGHTS[letter] for letter in letters}
  steps = (dict(name="scale_crop_flip"),)
  mixture = _movi(weights, dict(name="clip", length=24), steps)
  config.data.name = mixture[0]["name"]
  if len(letters) > 1:
    config.data.mixture = mixture
  config.data.preprocess = mixture[0]["preprocess"]


def movi_images(config: ml_collections.ConfigDict):
  """Single frames of MOVi-A to F with the masks of their objects."""
  config.data.name = "movi/a_256px_depth"
  config.data.fields = ("video", "segmentation", "depth")
  steps = (dict(name="scale_crop_flip"),)
  config.data.mixture = _movi(WEIGHTS, dict(name="stills"), steps)
  config.data.preprocess = config.data.mixture[0]["preprocess"]


def generated_videos(config: ml_collections.ConfigDict):
  """Whole generated videos of falling solids."""
  config.data.name = GENERATED_NAME
  config.data.fields = ("video", "segmentation", "depth")
  config.data.preprocess = (GENERATED_DEPTH, dict(name="resize"))


def generated_images(config: ml_collections.ConfigDict):
  """Single frames of generated videos of falling solids with the masks of their objects."""
  config.data.name = GENERATED_NAME
  config.data.fields = ("video", "segmentation", "depth")
  config.data.preprocess = (
    *(dict(name="stills"), GENERATED_DEPTH),
    dict(name="scale_crop_flip"),
  )


def _by_proposals(config: ml_collections.ConfigDict):
  config.model.mode = "segmentation"
  config.train.updates = ()
  train(config, "prediction", "^(background|proposal)/")


def _dropping(config: ml_collections.ConfigDict):
  config.model.mode = "regularization"


MODES = {"segmentation": _by_proposals, "regularization": _dropping}  # variants


REVIEW = ("mnist", "dsprites", "shapes", "abstract", "clevr", "shop", "gso")


def review(config: ml_collections.ConfigDict, split: str, slots: int):
  """Single pictures of the seven sets of the review, all of equal weight; they have no depth."""
  loci(config, input_depth=False)
  config.model.slots = slots
  config.model.teacher_forcing = 10
  config.model.mutual_information = True
  config.data.name = "review/mnist"
  config.data.mixture = tuple(dict(name=f"review/{name}", weight=1.0) for name in REVIEW)
  config.data.fields = ("image", "segmentation", "amodal_masks?")
  config.data.preprocess = (dict(name="resize", method="bilinear"),)
  config.data.chunk = config.data.lead = config.data.frames = 0
  config.data.batch_size = 3
  config.eval.split, config.eval.test_split = split, split
  config.eval.batch_size = 3
  config.eval.images = 0
