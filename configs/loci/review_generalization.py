r"""Loci-Segmented on the seven sets of the review, pictures of more objects: 10 slots.

python -m data.prepare review/mnist --from RAW
python -m data.prepare review/dsprites --from RAW
python -m data.prepare review/shapes --from RAW
python -m data.prepare review/abstract --from RAW
python -m data.prepare review/clevr --from RAW
python -m data.prepare review/shop --from RAW
python -m data.prepare review/gso --from RAW
python -m experiments.import_checkpoint loci Loci-s-review.ckpt runs/more \
    --config configs/loci/review_generalization.py
python -m experiments.evaluate --workdir runs/more --split generalization

or, to train on them, which was not published (their rate is 0):

python -m experiments.train --config configs/loci/review_generalization.py --workdir runs/more

A picture is looked at 10 times and predicted 9 times; the table has the scores of the last
prediction, means of five seeds. The variants `:segmentation` (with ProposalReview.ckpt) and
`:regularization` are the other two modes. The published files are
slot-attention-review-loci-generalization-random.json, -segmentation.json and
-regularization.json.

Append `:smoke` for two steps on made-up pictures of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.review(config, "generalization", slots=10)
  config.train.steps = 1_000_000
  return variants.apply(config, variant, smoke=_base.one_clip, **_base.MODES)
