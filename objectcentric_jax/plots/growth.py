"""What grows, what is kept and where things lie while more and more is learned, one after another.

Three figures, written as PNG files: counts against arrivals, a matrix of scores, and points in the
plane that shows most of their differences.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from objectcentric_jax.plots.figure import new_figure, save_figure, tidy
from objectcentric_jax.plots.scene import PALETTE

CELL_INCHES = 0.42
DARK = 0.55  # share of the scale from which on numbers in cells are white
MARKERS = "osD^vP*X"


def growth_curve(
  counts: Mapping[str, Sequence[float]], path: str | os.PathLike, x: str, y: str
) -> None:
  """Draws counts against the number of the arrival, from 1.

  Args:
    counts: by name, one value an arrival each.
    path: the file to write, ending in .png.
    x, y: what the axes say.

  Raises:
    InputError: matplotlib is not installed.
  """
  figure = new_figure(5.5, 3.5, "growth curves")
  panel = figure.subplots()
  for number, (name, values) in enumerate(counts.items()):
    places = np.arange(1, len(values) + 1)
    colour = PALETTE[number % len(PALETTE)] / 255
    panel.plot(places, values, label=name, color=colour, linewidth=1.5, marker=".", markersize=5)
  tidy(panel, x=x, y=y)
  panel.set_ylim(bottom=0)
  for axis in (panel.xaxis, panel.yaxis):
    axis.get_major_locator().set_params(integer=True)
  panel.legend(fontsize=8, frameon=False)
  save_figure(figure, path)


def score_matrix(
  scores: np.ndarray,
  rows: Sequence[str],
  columns: Sequence[str],
  path: str | os.PathLike,
  title: str = "",
) -> None:
  """Draws scores in [0, 1] as shades of grey with their numbers.

  Args:
    scores: [R, C]; cells that are not a number stay empty.
    rows, columns: their labels.
    path: the file to write, ending in .png.
    title: above it.

  Raises:
    ValueError: labels and scores differ in number.
    InputError: matplotlib is not installed.
  """
  scores = np.asarray(scores, float)
  if scores.shape != (len(rows), len(columns)):
    raise ValueError(f"scores {scores.shape} for {len(rows)} rows and {len(columns)} columns")
  labels = CELL_INCHES * (2 + max(map(len, [*rows, *columns])) / 5)
  width, height = CELL_INCHES * len(columns) + labels, CELL_INCHES * len(rows) + labels
  figure = new_figure(max(width, 5.0), max(height, 2.5), "matrices of scores")
  panel = figure.subplots()
  panel.imshow(np.where(np.isfinite(scores), scores, np.nan), cmap="Greys", vmin=0, vmax=1)
  for row, column in np.argwhere(np.isfinite(scores)):
    value = scores[row, column]
    ink = "white" if value > DARK else "black"
    text = f"{value:.2f}".removeprefix("0")
    panel.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)
  panel.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=8)
  panel.set_yticks(range(len(rows)), rows, fontsize=8)
  figure.suptitle(title, fontsize=11)
  panel.tick_params(length=0)
  panel.spines[:].set_visible(False)
  save_figure(figure, path)


def principal_plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Points [N, D] in the plane of their greatest variance.

  Returns:
    [N, 2], and the share of the variance that each of the two directions holds.
  """
  centred = np.asarray(points, np.float64) - np.mean(points, axis=0)
  _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
  missing = max(0, 2 - len(sizes))
  directions = np.pad(directions, ((0, missing), (0, 0)))[:2]
  # The sign of a direction is arbitrary: its largest entry is made positive.
  largest = np.abs(directions).argmax(1)
  directions = directions * np.where(directions[[0, 1], largest] < 0, -1, 1)[:, None]
  shares = np.pad(sizes**2, (0, missing))[:2] / max((sizes**2).sum(), 1e-30)
  return centred @ directions.T, shares


def point_map(
  points: np.ndarray, labels: Sequence[str], kinds: Sequence[str], path: str | os.PathLike
) -> None:
  """Draws points [N, D] in the plane of their greatest variance, named, by kind.

  Args:
    points: what is drawn.
    labels: a name each.
    kinds: what each is; kinds differ in colour and marker.
    path: the file to write, ending in .png.

  Raises:
    InputError: matplotlib is not installed.
  """
  placed, shares = principal_plane(points)
  figure = new_figure(5.5, 4.5, "maps of points")
  panel = figure.subplots()
  for number, kind in enumerate(dict.fromkeys(kinds)):
    chosen = placed[[k == kind for k in kinds]]
    marker, colour = MARKERS[number % len(MARKERS)], PALETTE[number % len(PALETTE)] / 255
    panel.scatter(*chosen.T, s=36, marker=marker, color=colour, label=kind)
  for (x, y), label in zip(placed, labels, strict=True):
    panel.annotate(label, (x, y), (4, 4), textcoords="offset points", fontsize=7)
  first, second = (f"direction {i + 1} ({100 * s:.0f} % of variance)" for i, s in enumerate(shares))
  tidy(panel, x=first, y=second)
  panel.margins(0.15)
  panel.legend(fontsize=8, frameon=False)
  save_figure(figure, path)
