"""The boxes around what can be seen, and how much of it, from instance ids.

Numpy only: the processes that draw scenes import this module.
"""

import numpy as np


def boxes(segmentation: np.ndarray, count: int, first: int = 1) -> np.ndarray:
  """Boxes around the visible pixels of labels `first` to `first + count - 1`.

  Args:
    segmentation: ids, [H, W, 1].
    count: K.
    first: the label of the first box.

  Returns:
    float32 [K, 4]: ymin, xmin, ymax, xmax as shares of the picture, of the outer edges of the
    outermost pixels; zeros for what cannot be seen.
  """
  height, width = segmentation.shape[:2]
  found = np.zeros((count, 4), np.float32)
  for number in range(count):
    mask = segmentation[..., 0] == first + number
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size:
      columns = np.flatnonzero(mask.any(axis=0))
      found[number] = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
  return found / np.array([height, width, height, width], np.float32)


def visible_pixels(segmentation: np.ndarray, count: int, first: int = 1) -> np.ndarray:
  """How many pixels of labels `first` to `first + count - 1` can be seen, uint16 [count].

  Pictures of more than 65,535 pixels have the count cut off there.
  """
  counts = np.bincount(segmentation.ravel(), minlength=first + count)[first : first + count]
  return np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16)
