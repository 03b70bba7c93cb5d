"""The pursuit as published: main.py and object_pursuit/pursuit.py of pptrick/Object-Pursuit.

Where the published code does something that cannot be meant, or that makes scores look better than
they are, the default is what is right; the variant `published` does as it does.
"""

import ml_collections


def pursuit(config: ml_collections.ConfigDict):
  """Adds the section `pursuit`, with the constants that all published data sets share."""
  config.data.batch_size = 16
  config.pursuit = section = ml_collections.ConfigDict()
  section.threshold = 0.6  # tau: mean Dice from which on an object counts as known
  section.failed_start_stays = False  # published; see pursuit.Rules
  section.snapshot_every = 0  # arrivals; what was known before each of these is kept; 0 for none

  # The stream.
  section.order = "sequence"  # or "random", "sorted"; see models/object_pursuit/stream.py
  section.seed = 1  # of the order, and of all that is drawn
  section.repeat_every = 7  # after so many objects an earlier one comes again; 0 for never
  section.limit = 0  # of arrivals; 0 for none

  # The views of an arrival.
  section.fresh_visits = True  # each visit shows other views; False: all of them, as published
  section.most_views = 2500  # of an arrival that are used
  # Share that is held out and scored; 1 trains and scores with all views, as published for videos.
  section.held_out = 0.1
  section.recognition_batch = 64

  # The inner trainings: epochs at most, epochs without a better score before the end, the score
  # above which one ends at once, learning rate, and weights of the penalty on the size of the
  # coefficients or latent and of what the hypernetwork has to keep.
  section.keep_last = False  # published: the score is the best epoch's, the latent the last one's
  section.express = _stage(penalty=0.2)
  section.learn = _stage(penalty=0.1, memory=0.04)
  section.check = _stage(penalty=0.2)
  section.simplify = _stage(penalty=0.2, rate=4e-4, patience=3)  # experiments.pursuit --simplify
  section.simplify.threshold = 0.7
  section.simplify.batch_size = 64


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
