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
from experiments import blobs, command
from objectcentric_jax.errors import InputError

FLAGS = flags.FLAGS
SIDES = (32, 64, 128, 256)
CELLS = (32, 16, 8)  # pixels of a cell that a grid may have, see models/space
LEAST_DEVIATION = 0.1  # of the size prior, the published one
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


def report(pictures: np.ndarray, labelled: list[np.ndarray] | None, side: int) -> list[str]:
  """What was found and what follows, as lines of text.

  Args:
    pictures: [N, side, side, 3] in [0, 1].
    labelled: N arrays of boxes [K, 4] as shares of the picture; None to look for blobs.
    side: of the pictures.
  """
  seen = blobs.find_blobs(pictures)
  boxes = seen.boxes if labelled is None else labelled
  counts = np.array([len(image) for image in boxes])
  source = "masks" if labelled is not None else "common picture" if seen.still else "surroundings"
  lines = [f"{len(boxes)} pictures of {side}x{side}; objects by their {source}"]
  if not counts.sum():
    return [*lines, nothing_found(seen)]
  sizes = np.concatenate([image[:, 2:] for image in boxes]) * side
  low, middle, high = np.percentile(sizes, (10, 50, 90))
  lines.append(
    f"objects: {counts.mean():.1f} a picture (at most {counts.max()}), "
    f"{middle:.0f} pixels wide and high in the middle, {low:.0f} to {high:.0f} most of them"
  )
  grids = [side // cell for cell in CELLS if side // cell > 1]
  shares = {grid: blobs.crowding(boxes, grid) for grid in grids}
  fitting = [grid for grid in grids if shares[grid] <= blobs.CROWDED]
  grid = fitting[0] if fitting else grids[-1]
  listed = ", ".join(f"{g}x{g} {share:.0%}" for g, share in shares.items())
  lines.append(f"objects that share their cell with another: {listed}")
  mean, deviation = blobs.size_prior(boxes)
  deviation = max(deviation, LEAST_DEVIATION)
  lines += ["proposed:", *flags_for(side, grid, mean, deviation)]
  return lines + warnings(seen, counts, sizes / side, shares[grid], grid)


def flags_for(side: int, grid: int, mean: float, deviation: float) -> list[str]:
  """The proposal as flags of experiments.train."""
  values = {
    "data.side": side,
    "model.grid": grid,
    "model.settled.scale_prior_mean": f"{mean:.2f}",
    "train.schedules.scale_prior_mean.start": f"{mean:.2f}",
    "model.scale_prior_deviation": f"{deviation:.2f}",
  }
  return [f"  --config.{name}={value}" for name, value in values.items()]


def nothing_found(seen: blobs.Blobs) -> str:
  """Why there is nothing to propose from."""
  covered = seen.covered.mean()
  if covered > 0.5:
    return (
      f"warning: {covered:.0%} of the pictures stands out, in no separate pieces: what is "
      "background cannot be told, and one side would take everything. Give pictures with masks"
    )
  return (
    "warning: nothing stands out: the foreground would stay empty and the background take "
    "everything. Objects may be too small at this --side, or too much like their surroundings"
  )


def warnings(
  seen: blobs.Blobs, counts: np.ndarray, sizes: np.ndarray, crowded: float, grid: int
) -> list[str]:
  """What speaks against the proposal."""
  found = []
  empty = (counts == 0).mean()
  if empty > 0.5:
    found.append(
      f"{empty:.0%} of the pictures show nothing that stands out: the foreground may stay empty; "
      "a larger config.train.schedules.presence_prior and more steps of fixed_alpha help"
    )
  if crowded > blobs.CROWDED:
    found.append(
      f"{crowded:.0%} of the objects share a cell of the finest grid, {grid}x{grid}, which holds "
      "one object a cell: take a larger --side"
    )
  large = (sizes.max(1) > 0.5).mean()
  if large > 0.2:
    found.append(
      f"{large:.0%} of what stands out is wider or higher than half a picture: the background "
      "would take it. Crop, or take it for background"
    )
  spread = np.percentile(sizes, 90) / np.percentile(sizes, 10)
  if spread > 4:
    found.append(f"sizes differ by a factor of {spread:.0f}: one size prior suits few of them")
  return [f"warning: {text}" for text in found]


if __name__ == "__main__":
  command.run(main, __doc__)
