"""Adjusted mutual information of two labellings (Vinh, Epps and Bailey, 2010), exactly.

Computed on the host in double precision: the chance level sums over every count that two clusters
could share.
"""

import numpy as np


def adjusted_mutual_information(table: np.ndarray) -> float:
  """Mutual information above chance, relative to the mean entropy: 1 when equal, near 0 for chance.

  As scikit-learn's adjusted_mutual_info_score with the arithmetic mean: 1 where both labellings
  have one cluster, or there are no pixels.

  Args:
    table: [clusters, clusters] counts of shared pixels, whole numbers.
  """
  table = np.asarray(np.rint(table), np.int64)
  table = table[table.any(1)][:, table.any(0)]
  if table.shape[0] == table.shape[1] and len(table) <= 1:
    return 1.0
  sizes_a, sizes_b, total = table.sum(1), table.sum(0), table.sum()
  chance = _expected_information(sizes_a, sizes_b)
  most = (_entropy(sizes_a, total) + _entropy(sizes_b, total)) / 2
  gap = most - chance
  smallest = np.finfo(np.float64).eps
  gap = min(gap, -smallest) if gap < 0 else max(gap, smallest)
  found = _information(table, sizes_a, sizes_b, total) - chance
  return float(np.clip(found / gap, -np.inf, 1.0)) if abs(found) > 0 else 0.0


def _entropy(sizes: np.ndarray, total: int) -> float:
  share = sizes / total
  return float(-(share * np.log(share)).sum())


def _information(table, sizes_a, sizes_b, total) -> float:
  rows, columns = np.nonzero(table)
  shared = table[rows, columns]
  chance = np.log(sizes_a[rows]) + np.log(sizes_b[columns])
  terms = shared / total * (np.log(shared) + np.log(total) - chance)
  return float(max(terms.sum(), 0.0))


def _expected_information(sizes_a: np.ndarray, sizes_b: np.ndarray) -> float:
  """Mean over all labellings with clusters of these sizes (hypergeometric model)."""
  total = int(sizes_a.sum())
  log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
  expected = 0.0
  for a in sizes_a:
    for b in sizes_b:
      shared = np.arange(max(1, a + b - total), min(a, b) + 1)
      log_chance = log_factorial[a] + log_factorial[b] - log_factorial[total]
      log_chance += log_factorial[total - a] + log_factorial[total - b]
      log_chance = log_chance - log_factorial[shared] - log_factorial[a - shared]
      log_chance -= log_factorial[b - shared] + log_factorial[total - a - b + shared]
      gain = shared / total * (np.log(shared) + np.log(total) - np.log(a) - np.log(b))
      expected += float((gain * np.exp(log_chance)).sum())
  return expected
