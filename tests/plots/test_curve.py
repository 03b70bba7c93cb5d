"""Learning curves."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.curve import learning_curve
from objectcentric_jax.plots.scene import PALETTE

ROOT = pathlib.Path(__file__).resolve().parents[2]


def drawn(path, colour):
  """[h, w] bool: where a line of the palette's colour was drawn."""
  with Image.open(path) as file:
    assert file.format == "PNG"
    return (np.abs(np.asarray(file).astype(int) - PALETTE[colour]) < 12).all(-1)


def test_panels_show_their_curves(tmp_path):
  steps = range(0, 50_000, 500)
  records = [{"step": step, "loss": 1e4 - step / 10} for step in steps]
  records += [{"step": step, "validation/fg_ari": step / 1e5} for step in steps[::10]]
  path = tmp_path / "images" / "curve.png"
  learning_curve(records, ["loss", "validation/fg_ari"], path)
  falling, rising = np.argwhere(drawn(path, 0)), np.argwhere(drawn(path, 1))
  assert len(falling) > 100 and len(rising) > 100
  assert falling[:, 1].max() < rising[:, 1].min(), "one panel beside the other"
  assert np.corrcoef(falling.T)[0, 1] > 0.99, "rows count downwards: a falling curve"
  assert np.corrcoef(rising.T)[0, 1] < -0.99


def test_later_record_of_a_step_holds(tmp_path):
  once = [{"step": step, "loss": float(step % 7)} for step in range(40)]
  learning_curve(once, ["loss"], tmp_path / "once.png")
  wrong = [{"step": step, "loss": 99.0} for step in range(30, 40)]
  learning_curve(once[:30] + wrong + once[30:], ["loss"], tmp_path / "resumed.png")
  first, second = drawn(tmp_path / "once.png", 0), drawn(tmp_path / "resumed.png", 0)
  assert first.any()
  np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_leave_a_gap(tmp_path, value):
  records = [{"step": step, "loss": float(step)} for step in range(90)]
  for record in records[30:60]:
    record["loss"] = value
  learning_curve(records, ["loss"], tmp_path / "curve.png")
  columns = np.flatnonzero(drawn(tmp_path / "curve.png", 0).any(0))
  share = np.diff(columns).max() / (columns[-1] - columns[0])
  assert share == pytest.approx(31 / 89, abs=0.03)


def test_unknown_names_are_errors(tmp_path):
  records = [{"step": 1, "loss": 2.0, "mse": 1.0}]
  with pytest.raises(InputError, match=r"'elbo'; choose among \['loss', 'mse'\]"):
    learning_curve(records, ["elbo"], tmp_path / "curve.png")
  with pytest.raises(InputError, match="no names given"):
    learning_curve(records, [], tmp_path / "curve.png")
  assert not list(tmp_path.iterdir())


def test_import_does_not_load_matplotlib():
  code = "import sys, objectcentric_jax.plots.curve; sys.exit('matplotlib' in sys.modules)"
  assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
