"""What happens to stored arrays on their way into a batch."""

import numpy as np


def resize_nearest(images: np.ndarray, side: int) -> np.ndarray:
  """Square images [N, H, H, C] to [N, side, side, C], taking source pixel floor(i * H / side).

  The published pipelines resize images and labels alike in this way.
  """
  height, width = images.shape[1:3]
  if (height, width) == (side, side):
    return images
  rows, columns = np.arange(side) * height // side, np.arange(side) * width // side
  return images[:, rows[:, None], columns[None]]
