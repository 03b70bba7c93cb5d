"""Figures of matplotlib, drawn into memory: no window, no global state of pyplot."""

import os
from typing import Any

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.grid import save

DPI = 150


def new_figure(width: float, height: float, what: str) -> Any:
  """A figure of so many inches.

  Raises:
    InputError: matplotlib is not installed; `what` says what needs it.
  """
  try:
    from matplotlib.figure import Figure
  except ImportError as error:
    raise InputError(f"{what} need matplotlib: pip install matplotlib") from error
  return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def tidy(panel: Any, title: str = "", x: str = "", y: str = ""):
  """The look that all panels share: a light grid, no frame above and at the right."""
  panel.set_title(title, fontsize=11)
  panel.set_xlabel(x, fontsize=9)
  panel.set_ylabel(y, fontsize=9)
  panel.tick_params(labelsize=8)
  panel.grid(color="0.9", linewidth=0.8)
  panel.set_axisbelow(True)
  panel.spines[["top", "right"]].set_visible(False)


def save_figure(figure: Any, path: str | os.PathLike):
  """Writes a figure as PNG file, whole or not at all; makes its folder if needed."""
  from matplotlib.backends.backend_agg import FigureCanvasAgg

  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  save(path, np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
