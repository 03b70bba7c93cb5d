"""Learning curves from the records of a training."""

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.grid import save
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
  try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter
  except ImportError as error:
    raise InputError("learning curves need matplotlib: pip install matplotlib") from error
  series = {name: _series(records, name) for name in names}
  if not series:
    raise InputError(f"learning curve {path}: no names given; known: {_known(records)}")

  columns = min(math.ceil(math.sqrt(len(series))), MAX_COLUMNS)
  rows = math.ceil(len(series) / columns)
  figure = Figure(
    figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), dpi=150, layout="constrained"
  )
  panels = figure.subplots(rows, columns, squeeze=False).ravel()
  for index, (name, (steps, values)) in enumerate(series.items()):
    panel = panels[index]
    few = len(steps) <= 30
    colour = PALETTE[index % len(PALETTE)] / 255
    panel.plot(
      steps, values, color=colour, linewidth=1.5, marker="o" if few else None, markersize=3
    )
    panel.set_title(name, fontsize=11)
    panel.set_xlabel("step", fontsize=9)
    panel.set_ylabel(name.rsplit("/", 1)[-1], fontsize=9)
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.tick_params(labelsize=8)
    panel.grid(color="0.9", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
  for panel in panels[len(series) :]:
    panel.set_visible(False)
  canvas = FigureCanvasAgg(figure)  # draws into memory: no window, no global state of pyplot
  canvas.draw()
  save(path, np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))


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
