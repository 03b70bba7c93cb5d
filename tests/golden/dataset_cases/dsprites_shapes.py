"""Published dSprites images against the silhouettes drawn by formula."""

import pathlib

import numpy as np

from data.multi_dsprites import sprites
from tests.golden.case import Result

# The case states these in words: at least 0.94 for each, 0.985 on average, squares exactly.
WORST, MEAN = 1 - 0.94, 1 - 0.985


def check(case: dict, arrays: dict[str, np.ndarray], raw: pathlib.Path) -> list[Result]:
  """One less the intersection over union of every sprite, by shape; the case has no raw files."""
  del case, raw
  masks = arrays["masks"].astype(bool)
  drawn = np.stack([_draw(parameters) for parameters in arrays["params"]])
  axes = (1, 2)
  missed = 1 - (masks & drawn).sum(axes) / np.maximum((masks | drawn).sum(axes), 1)
  results = [Result("mean of all shapes", float(missed.mean()), MEAN)]
  for number, shape in enumerate(sprites.SHAPES):
    of_shape = arrays["params"][:, 0] == number
    if of_shape.any():
      limit = 0.0 if shape == "square" else WORST
      results.append(Result(f"worst {shape}", float(missed[of_shape].max()), limit))
  return results


def _draw(parameters: np.ndarray) -> np.ndarray:
  """The sprite of one row (shape, scale, index of the orientation, x, y), bool [64, 64]."""
  shape, scale, turn, x, y = (float(value) for value in parameters)
  scale = round(scale, 1)
  latents = sprites.Latents(int(shape), scale, 2 * np.pi * round(turn) / 39, x, y)
  row, column, mask = sprites.silhouette(latents)
  picture = np.zeros((sprites.FRAME, sprites.FRAME), bool)
  picture[row : row + mask.shape[0], column : column + mask.shape[1]] = mask
  return picture
