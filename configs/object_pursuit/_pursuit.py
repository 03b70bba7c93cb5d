"""The pursuit as published: main.py and object_pursuit/pursuit.py of pptrick/Object-Pursuit.

Where the published code does something that cannot be meant, or that makes scores look better than
they are, the default is what is right; the variant `published` does as it does.
"""

import ml_collections

from configs.object_pursuit import _base


def get_config() -> ml_collections.ConfigDict:
  """The constants that all published data sets share."""
  config = _base.get_config()
  config.model.kind = "coefficients"  # and "base", as the inner trainings need
  config.model.balanced = True
  config.model.known = 16  # room for known objects; more than that are one more compilation
  config.data.batch_size = 16
  config.data.objects = 3  # of made-up scenes
  # The inner trainings have updates with rates of their own; these are of the coefficients.
  config.train.updates = _base.update(("coefficients",), 1e-4)
  config.train.steps = 10**6  # of one inner training at most; its epochs end it before
  config.train.checkpoint_every = 10  # epochs of an inner training
  config.eval.best = "dice"
  config.eval.headline = ("dice", "iou")
  config.eval.test_split = "test"  # views that --eval scores
  config.pursuit = section = ml_collections.ConfigDict()
  section.threshold = 0.6  # tau: mean Dice from which on an object counts as known
  section.failed_start_stays = False  # published; see pursuit.Rules
  section.snapshot_every = 0  # arrivals; what was known before each of these is kept; 0 for none
  section.follow = True  # score all that is known whenever the networks have changed

  # What is there at the start: workdirs of trained or imported models, "" for nothing. Bases and
  # objects may also be files or folders of published latents, or the workdir of a pursuit.
  section.hypernetwork = ""
  section.backbone = ""  # fixed where it is given
  section.bases = ""
  section.objects = ""  # the bases where it is ""

  # The stream. Objects are numbered in the order of their names.
  section.first = 0  # number of the first object
  section.count = 0  # of objects; 0 for all
  section.order = "sequence"  # or "random", "sorted"; see models/object_pursuit/stream.py
  section.seed = 1  # of the order
  section.repeat_every = 7  # after so many objects an earlier one comes again; 0 for never
  section.limit = 0  # of arrivals; 0 for none

  # The views of an arrival.
  section.fresh_visits = True  # each visit shows other views; False: all of them, as published
  section.most_views = 2500  # of an arrival that are used
  # Share that is held out and scored; 1 trains and scores with all views, as published for videos.
  section.held_out = 0.1

  # The inner trainings: epochs at most, epochs without a better score before the end, the score
  # above which one ends at once, learning rate, and weights of the penalty on the size of the
  # coefficients or latent and of what the hypernetwork has to keep.
  section.keep_last = False  # published: the score is the best epoch's, the latent the last one's
  section.express = _stage(penalty=0.2)
  section.learn = _stage(penalty=0.1, memory=0.04)
  section.check = _stage(penalty=0.2)
  # Of bases that the others can express, by experiments.pursuit --simplify.
  section.simplify = _stage(penalty=0.2, rate=4e-4, patience=3)
  section.simplify_threshold = 0.7
  return config


def _stage(penalty: float, memory: float = 0.0, rate: float = 1e-4, patience: int = 5):
  return ml_collections.ConfigDict(
    dict(
      epochs=200,
      patience=patience,
      enough=1.0,
      rate=rate,
      penalty=penalty,
      memory=memory,
    )
  )


def patient(config: ml_collections.ConfigDict):
  """For videos, whose epochs are short: more of them without a better score."""
  section = config.pursuit
  section.learn.update(epochs=140, patience=30)
  section.check.update(patience=30)


def published(config: ml_collections.ConfigDict):
  """Variant: as the published code, its errors included."""
  config.pursuit.failed_start_stays = True
  config.pursuit.fresh_visits = False
  config.pursuit.keep_last = True
  config.model.dropout = "always"


def published_videos(config: ml_collections.ConfigDict):
  """Variant: as the published code, which scores with the frames that it trains with."""
  published(config)
  config.pursuit.held_out = 1.0


VARIANTS = {"published": published}
