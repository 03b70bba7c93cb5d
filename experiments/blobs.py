"""What stands out in pictures without being told: small regions that differ from what is around.

Good enough to say how large objects are and how many, not which.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

# Of the largest difference of a colour in [0, 1]: below, it is shading or noise.
STANDING_OUT = 0.12
SMALLEST = 3 / 64  # side of the smallest blob that counts, as a share of the picture's
NEIGHBOURHOOD = 0.4  # side of the window whose median colour is "around", likewise
SAMPLES = 15  # pixels along a side of that window
NORMAL_QUARTILE = 0.6745  # median distance of a standard normal from its middle
CROWDED = 0.05  # share of objects that may have no cell of their own


class Blobs(NamedTuple):
  """What stands out in N pictures.

  Attributes:
    boxes: N arrays [K, 4]: centre y, centre x, height, width, as shares of the picture.
    covered: [N] share of each picture that stands out.
    still: whether it was compared with what the pictures have in common, not with its surroundings.
  """

  boxes: list[np.ndarray]
  covered: np.ndarray
  still: bool


def find_blobs(pictures: np.ndarray) -> Blobs:
  """Finds blobs in pictures [N, S, S, 3] in [0, 1].

  The background is what is left of a static camera's pictures in the middle of all, where that
  explains them better, or else what is left of each by the median of its surroundings.
  """
  common = np.broadcast_to(np.median(pictures, axis=0), pictures.shape)
  around = np.stack([surroundings(picture) for picture in pictures])
  error = {
    still: np.abs(pictures - guess).mean() for still, guess in ((True, common), (False, around))
  }
  still = len(pictures) > 2 and error[True] < error[False]
  different = np.abs(pictures - (common if still else around)).max(-1) > STANDING_OUT
  boxes = [_boxes(mask) for mask in different]
  return Blobs(boxes, different.mean((1, 2)), still)


def surroundings(picture: np.ndarray) -> np.ndarray:
  """Median colour of the neighbourhood of every pixel of a picture [S, S, 3]."""
  side = len(picture)
  step = max(1, round(NEIGHBOURHOOD * side / SAMPLES))
  footprint = np.zeros((step * (SAMPLES - 1) + 1,) * 2, bool)
  footprint[::step, ::step] = True
  medians = [
    ndimage.median_filter(picture[..., i], footprint=footprint, mode="nearest") for i in range(3)
  ]
  return np.stack(medians, axis=-1)


def _boxes(mask: np.ndarray) -> np.ndarray:
  """Boxes [K, 4] of the connected regions of a mask [S, S], the smallest left out."""
  side = len(mask)
  labels, _ = ndimage.label(mask, np.ones((3, 3)))
  found = []
  for rows, columns in ndimage.find_objects(labels):
    size = np.array([rows.stop - rows.start, columns.stop - columns.start])
    if (size >= SMALLEST * side).all():
      centre = np.array([rows.start + rows.stop, columns.start + columns.stop]) / 2
      found.append(np.concatenate([centre, size]) / side)
  return np.array(found).reshape(-1, 4)


def crowding(boxes: list[np.ndarray], grid: int) -> float:
  """Share of objects that find their cell of a grid x grid taken by the centre of another."""
  shared = total = 0
  for centres in (image[:, :2] for image in boxes):
    cells = np.minimum((centres * grid).astype(int), grid - 1)
    shared += len(cells) - len(np.unique(cells, axis=0))
    total += len(cells)
  return shared / max(total, 1)


def size_prior(boxes: list[np.ndarray]) -> tuple[float, float]:
  """Middle and spread of the logit of the sizes of boxes, both sides together.

  Median, and the deviation of the normal distribution with the same median distance to it: some
  blobs are several objects.
  """
  sizes = np.clip(np.concatenate([image[:, 2:].ravel() for image in boxes]), 1e-3, 1 - 1e-3)
  logits = np.log(sizes / (1 - sizes))
  middle = np.median(logits)
  return float(middle), float(np.median(np.abs(logits - middle)) / NORMAL_QUARTILE)
