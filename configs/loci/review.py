"""Loci-Segmented on the review's sets of single images, which have no depth.

python -m data.prepare review/mnist --from RAW
python -m data.prepare review/dsprites --from RAW
python -m data.prepare review/shapes --from RAW
python -m data.prepare review/abstract --from RAW
python -m data.prepare review/clevr --from RAW
python -m data.prepare review/shop --from RAW
python -m data.prepare review/gso --from RAW
python -m experiments.train --config configs/loci/review.py --workdir runs/loci_review

All seven sets in equal parts, enlarged to 256 pixels. An image is looked at 10 times, then
predicted 9 times. The authors publish weights but no training of them; 500,000 steps of 3 images
are ours.
Scores of the published table are those named published/prediction/: `experiments.loci_tables`.

Append `:smoke` for two steps on made-up scenes of these shapes, `:generalization` for 10 slots and
the split of more objects, `:segmentation` or `:regularization` as in loci.py.
"""

from configs import variants
from configs.loci import _base

SETS = ("mnist", "dsprites", "shapes", "abstract", "clevr", "shop", "gso")


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.loci(config, input_depth=False)
  config.model.slots = 6
  config.model.mutual_information = True
  config.data.chunk = 0
  config.data.lead = 0
  config.data.frames = 0
  config.data.name = f"review/{SETS[0]}"
  config.data.fields = ("image", "segmentation", "amodal_masks?")
  config.data.preprocess = (dict(name="resize", method="bilinear"),)
  config.data.mixture = tuple(dict(name=f"review/{name}", weight=1.0) for name in SETS)
  config.data.batch_size = 3
  config.eval.batch_size = 3
  config.eval.images = 0
  config.eval.best = "prediction/iou"
  config.eval.headline = ("prediction/iou", "prediction/fg_ari_frames", "prediction/counting")
  config.train.steps = 500_000
  config.train.checkpoint_every = 1000
  config.train.report_every = 100
  others = _base.MODES | {"generalization": generalization}
  return variants.apply(config, variant, smoke=_base.one_clip, **others)


def generalization(config):
  """Variant: more slots, for scenes of more objects."""
  config.model.slots = 10
  config.eval.test_split = "generalization"
