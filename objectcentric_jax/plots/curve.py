"""Learning curves from the records of a training."""

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.figure import new_figure, save_figure, tidy
from objectcentric_jax.plots.scene import PALETTE

PANEL_INCHES = (4.0, 2.6)
MAX_COLUMNS = 3


def learning_curve(
  records: Sequence[Mapping], names: Sequence[str], path: str | os.PathLike
) -> None:
  """Draws named scalars against the step, a panel each, into a PNG file.

  Args:
    records: the lines of metrics.jsonl; each has "step" and any of the scalars. Where a resumed
      training repeated a step, the later record holds. Values that are not finite leave a gap.
    names: the scalars to draw, in this order.
    path: the file to write, ending in .png.

  Raises:
    InputError: no names are given, a name is in no record, or matplotlib is not installed.
  """
  series = {name: _series(records, name) for name in names}
  if not series:
    raise InputError(f"learning curve {path}: no names given; known: {_known(records)}")

  columns = min(math.ceil(math.sqrt(len(series))), MAX_COLUMNS)
  rows = math.ceil(len(series) / columns)
  figure = new_figure(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows, "learning curves")
  from matplotlib.ticker import EngFormatter

  panels = figure.subplots(rows, columns, squeeze=False).ravel()
  for index, (name, (steps, values)) in enumerate(series.items()):
    panel = panels[index]
    few = len(steps) <= 30
    colour = PALETTE[index % len(PALETTE)] / 255
    panel.plot(
      steps, values, color=colour, linewidth=1.5, marker="o" if few else None, markersize=3
    )
    tidy(panel, name, "step", name.rsplit("/", 1)[-1])
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
  for panel in panels[len(series) :]:
    panel.set_visible(False)
  save_figure(figure, path)


def _series(records, name):
  """Steps in order and the values of `name` there."""
  values = {record["step"]: float(record[name]) for record in records if name in record}
  if not values:
    raise InputError(f"no record holds {name!r}; choose among {_known(records)}")
  steps = sorted(values)
  finite = np.array([values[step] for step in steps])
  finite[~np.isfinite(finite)] = np.nan
  return steps, finite


def _known(records):
  return sorted({name for record in records for name in record} - {"step"})
