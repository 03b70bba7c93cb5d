"""What stands behind the people where it is not what was filmed.

The published backgrounds are one picture for all frames: black, a smooth gradient, a photograph
from above, and the same blurred. Only the first can be made again as it was.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from data.motsynth.names import Options
from data.raw.raw_images import decode_rgb, read_bytes
from objectcentric_jax.errors import InputError

FILES = ("background.png", "background.jpg")
# Colours of the gradient's corners: top left, top right, bottom left, bottom right.
CORNERS = (((52, 86, 139), (121, 201, 180)), ((148, 90, 160), (240, 190, 110)))


def picture_file(raw: Path, options: Options) -> Path | None:
  """The picture that a config needs; InputError where it is not in the folder."""
  if options.background not in ("image", "blurred"):
    return None
  for name in FILES:
    if (raw / name).is_file():
      return raw / name
  raise InputError(f"--from {raw} has no picture for the background: {' or '.join(FILES)}")


@functools.lru_cache(maxsize=1)  # one picture for all frames
def background(options: Options, file: Path | None, height: int, width: int) -> np.ndarray | None:
  """The background of a config, uint8 [H, W, 3]; None for what was filmed.

  Args:
    options: of the config.
    file: as `picture_file` returns it.
    height, width: of the frames.

  Raises:
    Damaged: the file cannot be decoded.
  """
  if options.background == "original":
    return None
  if options.background == "black":
    return np.zeros((height, width, 3), np.uint8)
  if options.background == "gradient":
    return _gradient(height, width)
  picture = Image.fromarray(decode_rgb(read_bytes(file), file))
  picture = picture.resize((width, height), Image.Resampling.BICUBIC)
  if options.background == "blurred":
    picture = picture.filter(ImageFilter.GaussianBlur(options.radius))
  return np.asarray(picture)


def _gradient(height: int, width: int) -> np.ndarray:
  corners = np.array(CORNERS, np.float64)
  down = np.linspace(0, 1, height)[:, None, None]
  across = np.linspace(0, 1, width)[None, :, None]
  left, right = ((1 - down) * corners[0, i] + down * corners[1, i] for i in range(2))
  return ((1 - across) * left + across * right).round().astype(np.uint8)
