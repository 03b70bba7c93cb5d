"""Frechet distance of two sets of features, each seen as a Gaussian (Heusel et al., 2017).

Everything here runs on the host in float64: statistics of thousands of features need its digits,
and accelerators do not offer it.
"""

import dataclasses

import numpy as np

from objectcentric_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class FeatureStatistics:
  """What a set of N feature rows of size D says of their distribution.

  Attributes:
    count: N.
    mean: [D] float64.
    scatter: [D, D] float64, the sum over rows of outer products of their distance to the mean.
  """

  count: int
  mean: np.ndarray
  scatter: np.ndarray

  @property
  def covariance(self) -> np.ndarray:
    """[D, D], unbiased.

    Raises:
      InputError: there are fewer than two rows.
    """
    if self.count < 2:
      raise InputError(f"a covariance of {self.count} features: at least 2 are needed")
    return self.scatter / (self.count - 1)


def feature_statistics(features: np.ndarray) -> FeatureStatistics:
  """Statistics of feature rows [N, D]; N may be 0."""
  features = np.asarray(features, np.float64)
  if features.ndim != 2:
    raise ValueError(f"features {features.shape}: rows [N, D] are needed")
  count = len(features)
  mean = features.sum(0) / max(count, 1)
  centred = features - mean
  return FeatureStatistics(count, mean, centred.T @ centred)


def merge(first: FeatureStatistics, second: FeatureStatistics) -> FeatureStatistics:
  """Statistics of two sets together (Chan et al., 1979): no difference of large sums is taken."""
  count = first.count + second.count
  apart = second.mean - first.mean
  share = second.count / max(count, 1)
  return FeatureStatistics(
    count,
    first.mean + share * apart,
    first.scatter + second.scatter + first.count * share * np.outer(apart, apart),
  )


@dataclasses.dataclass(frozen=True)
class FrechetDistance:
  """The distance with what is needed to judge it.

  Attributes:
    distance: squared, as published; 0 for equal statistics.
    ranks: of the two covariances. Below the size of the features, the covariance is singular:
      there are too few rows, or features that never vary, and fewer rows enlarge the distance.
  """

  distance: float
  ranks: tuple[int, int]


def frechet_distance(first: FeatureStatistics, second: FeatureStatistics) -> FrechetDistance:
  """|m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)) of means m and covariances C.

  With C = A A' the trace of the root of C1 C2 is the sum of the singular values of A1' A2. A comes
  from the symmetric eigen-decomposition, so that singular covariances are nothing special and no
  digits are lost to the root of a product that is not symmetric.

  Raises:
    InputError: a set has fewer than two rows, or features that are not finite.
  """
  if first.mean.shape != second.mean.shape:
    raise ValueError(f"features of size {first.mean.shape} against {second.mean.shape}")
  roots = [_root(statistics) for statistics in (first, second)]
  overlap = np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).sum()
  spread = sum(np.trace(statistics.covariance) for statistics in (first, second))
  apart = np.square(first.mean - second.mean).sum()
  distance = max(float(apart + spread - 2 * overlap), 0.0)  # rounding may take it below
  return FrechetDistance(distance, (roots[0].shape[1], roots[1].shape[1]))


def _root(statistics: FeatureStatistics) -> np.ndarray:
  """A [D, rank] with A A' the covariance; what is zero up to rounding is left out."""
  covariance = statistics.covariance
  if not np.isfinite(covariance).all():
    raise InputError("features are not finite: look for images or weights that are not")
  values, vectors = np.linalg.eigh(covariance)
  kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0)
  return vectors[:, kept] * np.sqrt(values[kept])
