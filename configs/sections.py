"""The sections every config has, with the defaults of the package."""

import ml_collections


def base() -> ml_collections.ConfigDict:
  """A config without a model: `config.task` and `config.model` are still to be set."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.task = ""  # module that offers make_task(config.model)
  config.model = ml_collections.ConfigDict()

  config.data = data = ml_collections.ConfigDict()
  data.name = ""  # dataset, or dataset/variant, as data.prepare names it
  # Several sets instead, each dict(name=..., weight=...); see objectcentric_jax/input/mixture.py.
  data.mixture = ()
  data.directory = ""  # of prepared sets; "" for $OBJECTCENTRIC_DATA or ~/objectcentric_data
  data.split = "train"
  # What is read, as the dataset calls it; a name that ends in ? is left out where it is not there.
  data.fields = ("image", "segmentation?", "num_objects?")
  data.side = 64  # of the pictures that come out; 0 for whatever the steps leave
  data.frames = 0  # of the videos that come out; 0 likewise
  # Frames of a training step: consecutive steps get consecutive chunks of clips; 0 for whole clips.
  data.chunk = 0
  data.lead = 0  # how often the first frame is shown in chunks before the clip, at negative times
  # Steps, each dict(name=..., ...), of objectcentric_jax/input/preprocess.py; without any pictures
  # are resized to side x side by their nearest pixel.
  data.preprocess = ()
  data.min_objects = 0  # scenes with fewer are left out
  data.max_objects = 0  # scenes with more are left out; 0 for no limit
  # Batches of views of one object each, from sets of objects; objectcentric_jax/input/objects.py.
  data.by_object = apart = ml_collections.ConfigDict()
  apart.use = False
  apart.only = ()  # names of objects; () for all
  apart.shots = 0  # views of each to train with; 0 for all that are not held out
  apart.held_out = 0.0  # share of an object's views that is scored and not trained with
  apart.seed = 0  # which views these are; 0 takes the first ones for training
  apart.balanced = False  # as many batches of each object
  data.batch_size = 32  # over all devices
  data.objects = 4  # of made-up scenes, in the smoke variant
  data.memory = 4.0  # GiB: a split up to this size is decoded once and kept
  data.workers = 0  # processes that read larger splits
  data.threads = 2  # that read when there are no workers

  config.train = train = ml_collections.ConfigDict()
  train.steps = 1
  # Earlier runs that parameters are taken from at the start, each
  # dict(workdir=..., best=False, parts={ours: theirs}); see objectcentric_jax/training/phases.py.
  train.start_from = ()
  train.updates = ()
  train.schedules = ml_collections.ConfigDict()
  train.parallel = "jit"  # or "pmap"
  train.prefetch = 2  # batches kept ready on the devices
  train.report_every = 100
  train.checkpoint_every = 1000
  train.keep_checkpoints = 2
  train.evaluate_every = 0  # 0: at the end only
  train.tensorboard = False  # event files, needs the extra `tensorboard`
  train.headline = ()  # reports shown on the console

  config.eval = evaluation = ml_collections.ConfigDict()
  evaluation.split = "validation"  # during training
  evaluation.test_split = "test"  # at the end, and by experiments.evaluate
  evaluation.images = 300  # of the split; 0 for all
  evaluation.batch_size = 32
  evaluation.seed = 0
  evaluation.sample = True  # draw latents, as published; False takes their means
  # What is followed through videos, of "boxes" and "masks"; needs the extra `tracking`.
  evaluation.tracking = ("boxes",)
  evaluation.match_overlap = (
    0.5  # intersection over union with an object that is followed, at least
  )
  evaluation.first_frame = 0  # of videos, that counts for tracking
  # Boxes that overlap a more present one by more than this are left out; 0 keeps all.
  evaluation.suppress_overlap = 0.0
  evaluation.best = "fg_ari"  # decides the best checkpoint; "-name" if smaller is better
  evaluation.headline = ()  # scores shown on the console
  return config
