r"""Loci-Segmented on the seven sets of the review, test pictures: 6 slots.

python -m data.prepare review/mnist --from RAW
python -m data.prepare review/dsprites --from RAW
python -m data.prepare review/shapes --from RAW
python -m data.prepare review/abstract --from RAW
python -m data.prepare review/clevr --from RAW
python -m data.prepare review/shop --from RAW
python -m data.prepare review/gso --from RAW
python -m experiments.import_checkpoint loci Loci-s-review.ckpt runs/review_test \
    --config configs/loci/review_test.py
python -m experiments.evaluate --workdir runs/review_test --split test

or, to train on them, which was not published (their rate is 0):

python -m experiments.train --config configs/loci/review_test.py --workdir runs/review_test

A picture is looked at 10 times and predicted 9 times; the table has the scores of the last
prediction, means of five seeds. The variants `:segmentation` (with ProposalReview.ckpt) and
`:regularization` are the other two modes. The published files are
slot-attention-review-loci-test-random.json, -segmentation.json and
-regularization.json.

Append `:smoke` for two steps on made-up pictures of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.review(config, "test", slots=6)
  config.train.steps = 1_000_000
  return variants.apply(config, variant, smoke=_base.one_clip, **_base.MODES)
