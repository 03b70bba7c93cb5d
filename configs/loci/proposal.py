"""Loci-Segmented, proposals of objects from colours.

python -m data.prepare movi/a_256px_depth --from RAW
python -m data.prepare movi/b_256px_depth --from RAW
python -m data.prepare movi/c_256px_depth --from RAW
python -m data.prepare movi/d_256px_depth --from RAW
python -m data.prepare movi/e_256px_depth --from RAW
python -m data.prepare movi/f_512px_depth --from RAW
python -m experiments.train --config configs/loci/proposal.py --workdir runs/proposal

500,000 steps of 32 images; the authors publish weights, but neither a config nor results. Targets
are corrected; `--config.model.published_targets` trains on those of the published weights, in which
pixels without object belong to the first one and negative coordinates are cut.

Append `:smoke` for two steps on made-up scenes of these shapes.
"""

from configs import variants
from configs.loci import _base


def get_config(variant: str = ""):
  config = _base.get_config()
  _base.proposal(config, input_depth=False)
  _base.movi_images(config)
  return variants.apply(config, variant)
