"""Golden cases of the Frechet distance: two sets of features and their distance."""

import numpy as np

from objectcentric_jax.metrics.frechet import feature_statistics, frechet_distance, merge
from tests.golden import case as golden


def check(case: dict, arrays: dict[str, np.ndarray]) -> list[golden.Result]:
  """The distance, with the features of each set taken in three uneven parts."""
  sets = [arrays[f"inputs/features_{name}"] for name in ("real", "generated")]
  statistics = []
  for features in sets:
    first, *others = np.split(features, [len(features) // 7, len(features) // 2])
    total = feature_statistics(first)
    for part in others:
      total = merge(total, feature_statistics(part))
    statistics.append(total)
  actual = {"fid": frechet_distance(*statistics).distance}
  return golden.compare(case, arrays, actual)
