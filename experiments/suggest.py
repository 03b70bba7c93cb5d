"""Looks at a folder of pictures and proposes settings for a model that finds objects in a grid.

python -m experiments.suggest FOLDER [--side 128] [--images 200]

Where pictures have masks (see data/folder/README.md) their objects are measured; otherwise what
stands out from its surroundings, or from what all pictures share, is taken for objects. Printed are
the sizes found, the proposed grid and size prior as flags of experiments.train, and warnings where
the foreground would stay empty or the background take everything.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from data.building.boxes import boxes as mask_boxes
from data.building.object_views import read_mask
from data.folder import listing
from data.folder.pictures import MOST_OBJECTS, square
from data.raw import rgb_files
from data.raw.damage import Damaged
from data.raw.raw_images import read_bytes
from experiments import command
from experiments.proposal import report
from objectcentric_jax.errors import InputError

FLAGS = flags.FLAGS
SIDES = (32, 64, 128, 256)
flags.DEFINE_integer("side", 128, f"pictures are made squares of it: one of {SIDES}")
flags.DEFINE_integer("images", 200, "how many are looked at, spread over the folder", 1)


def main(arguments: Sequence[str]):
  if len(arguments) != 1:
    raise InputError(f"give one folder of pictures; found {len(arguments)} arguments")
  if FLAGS.side not in SIDES:
    raise InputError(f"--side is {FLAGS.side}: choose one of {', '.join(map(str, SIDES))}")
  folder = Path(arguments[0])
  stills = listing.read(folder).stills
  if not stills:
    raise InputError(f"{folder} holds videos only: give a folder of pictures, such as their frames")
  chosen = [stills[i] for i in np.unique(np.linspace(0, len(stills) - 1, FLAGS.images, dtype=int))]
  try:
    pictures = np.stack([read_picture(still) for still in chosen])
    masked = all(still.mask for still in chosen)
    found = [boxes_of_mask(still) for still in chosen] if masked else None
  except Damaged as error:
    raise InputError(f"{error}: repair or remove it") from None
  for text in report(pictures, found, FLAGS.side):
    print(text)


def read_picture(still: listing.Still) -> np.ndarray:
  """As data.prepare folder/..._SIDEpx makes it, [side, side, 3] in [0, 1]."""
  pixels = rgb_files.upright(read_bytes(still.image), still.image)
  return square(pixels, FLAGS.side).astype(np.float32) / 255


def boxes_of_mask(still: listing.Still) -> np.ndarray:
  """Boxes [K, 4] of its objects: centre y, centre x, height, width, as shares of the square."""
  ids = square(read_mask(still.mask, MOST_OBJECTS).ids, FLAGS.side)
  edges = mask_boxes(ids, int(ids.max()))
  edges = edges[(edges[:, 2:] > edges[:, :2]).all(1)]
  low, high = edges[:, :2], edges[:, 2:]
  return np.concatenate([(low + high) / 2, high - low], axis=1)


if __name__ == "__main__":
  command.run(main, __doc__)
