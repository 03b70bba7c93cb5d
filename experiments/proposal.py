"""From pictures to proposed settings of a model that finds objects in a grid, and to warnings."""

import numpy as np

from experiments import blobs

CELLS = (32, 16, 8)  # pixels of a cell that a grid may have, see models/space
LEAST_DEVIATION = 0.1  # of the size prior, the published one


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
