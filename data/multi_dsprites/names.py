"""The names of Multi-dSprites configs."""

from data.building.names import SPLITS_AND_SEED, Flag, Names, Number, Objects
from data.multi_dsprites.scenes import Options

_NAMES = Names(
  "multi_dsprites",
  Options,
  [
    Number("size", after="px", least=8, most=1024, always=True),
    Objects(1, 6),
    Flag("unique"),
    Flag("published"),
    *SPLITS_AND_SEED,
  ],
  examples="64px_1-4_unique or 32px_1-3_train20000",
)
parse = _NAMES.parse
spell = _NAMES.spell
