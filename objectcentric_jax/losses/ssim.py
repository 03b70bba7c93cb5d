"""Structural similarity (Wang et al., 2004) and the reconstruction losses that are made of it.

As in Godard et al. (2017) and utils/loss.py of CognitiveModeling/Loci-Segmented. Pictures are
[B, H, W, C], weights [B, H, W, 1].
"""

import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.nn.colour import rgb_to_ycbcr
from objectcentric_jax.nn.gradients import absolute, clip

Array = jax.Array

MEANS_FLOOR, VARIANCES_FLOOR = 0.01**2, 0.03**2
SSIM_SHARE = 0.85  # the rest is the absolute difference
CHROMA_WEIGHT = 10.0


def dissimilarity(x: Array, y: Array) -> Array:
  """(1 - SSIM) / 2 of windows of 3x3 pixels, in [0, 1]: [B, H, W, C]. Borders are mirrored."""
  mean_x, mean_y = _average(x), _average(y)
  variance_x = _average(x**2) - mean_x**2
  variance_y = _average(y**2) - mean_y**2
  covariance = _average(x * y) - mean_x * mean_y
  above = (2 * mean_x * mean_y + MEANS_FLOOR) * (2 * covariance + VARIANCES_FLOOR)
  below = (mean_x**2 + mean_y**2 + MEANS_FLOOR) * (variance_x + variance_y + VARIANCES_FLOOR)
  return clip((1 - above / below) / 2, 0.0, 1.0)


def _average(x: Array) -> Array:
  """Of the 3x3 pixels around each, as two sums of three shifted pictures."""
  height, width = x.shape[1:3]
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
  rows = x[:, :height] + x[:, 1 : height + 1] + x[:, 2:]
  return (rows[:, :, :width] + rows[:, :, 1 : width + 1] + rows[:, :, 2:]) / 9


def weighted_mean(values: Array, weights: Array) -> Array:
  """Of each picture, all channels summed: [B]."""
  return (values * weights).sum((1, 2, 3)) / (weights.sum((1, 2, 3)) + 1e-7)


def l1_ssim(output: Array, target: Array, weights: Array) -> tuple[Array, Array, Array]:
  """The loss, the absolute difference and the dissimilarity it is made of: each [B]."""
  difference = weighted_mean(absolute(output - target), weights)
  unlike = weighted_mean(dissimilarity(output, target), weights)
  return (1 - SSIM_SHARE) * difference + SSIM_SHARE * unlike, difference, unlike


def ycbcr_l2_ssim(output: Array, target: Array, weights: Array) -> tuple[Array, Array, Array]:
  """Of colours in [0, 1]: dissimilarity of luma plus squared differences of chroma.

  Returns:
    The loss, its part from chroma, its part from luma: each [B]. The target gets no gradient.
  """
  output, target = rgb_to_ycbcr(output), rgb_to_ycbcr(lax.stop_gradient(target))
  luma = weighted_mean(dissimilarity(output[..., :1], target[..., :1]), weights)
  squares = CHROMA_WEIGHT * (output[..., 1:] - target[..., 1:]) ** 2
  chroma = weighted_mean(squares, weights)
  return luma + chroma, chroma, luma
