"""Figures of a growing collection."""

import numpy as np
import pytest
from PIL import Image

from objectcentric_jax.plots.growth import (
  growth_curve,
  point_map,
  principal_plane,
  score_matrix,
)
from objectcentric_jax.plots.scene import PALETTE


def drawn(path, colour):
  """[h, w] bool: where this colour of the palette was drawn."""
  with Image.open(path) as file:
    return (np.abs(np.asarray(file).astype(int) - PALETTE[colour]) < 12).all(-1)


def test_growth_curves_keep_their_order(tmp_path):
  path = tmp_path / "growth.png"
  growth_curve({"objects": [1, 2, 3, 4, 5, 6], "bases": [1, 1, 2, 2, 2, 2]}, path, "arrival", "n")
  objects, bases = drawn(path, 0), drawn(path, 1)
  last = np.flatnonzero(objects.any(0)).max() - 8
  above, below = (np.flatnonzero(found[:, last - 8 : last].any(1)) for found in (objects, bases))
  assert above.mean() < below.mean(), "more objects than bases: higher in the picture"
  middle = objects.shape[1] // 2  # behind the legend
  rising = np.argwhere(objects[:, middle : last - 8])
  assert np.corrcoef(rising.T)[0, 1] < -0.9


def test_score_matrix_shades_what_is_known(tmp_path):
  scores = np.array([[0.9, np.nan], [0.8, 0.1]])
  score_matrix(scores, ["first", "second"], ["a", "b"], tmp_path / "matrix.png", "title")
  with Image.open(tmp_path / "matrix.png") as file:
    grey = np.asarray(file.convert("L"))
  shades, counts = np.unique(grey, return_counts=True)
  large = shades[counts > 1500]
  assert len(large) == 4 and large[-1] == 255  # three cells, and white for all else
  with pytest.raises(ValueError, match=r"scores \(2, 2\) for 1 rows and 2 columns"):
    score_matrix(scores, ["first"], ["a", "b"], tmp_path / "matrix.png")


def test_the_plane_holds_the_greatest_variance():
  rng = np.random.default_rng(0)
  plane = rng.normal(size=(30, 2)) * [5, 2]
  directions = np.linalg.qr(rng.normal(size=(6, 6)))[0][:2]
  placed, shares = principal_plane(plane @ directions + 3)
  assert shares.sum() == pytest.approx(1) and shares[0] > shares[1]
  distances = np.linalg.norm(placed[:, None] - placed, axis=-1)
  expected = np.linalg.norm(plane[:, None] - plane, axis=-1)
  np.testing.assert_allclose(distances, expected, atol=1e-9)
  same, _ = principal_plane(-(plane @ directions + 3))
  np.testing.assert_allclose(same, -placed, atol=1e-9)
  for few in (np.ones((1, 3)), np.eye(2), np.arange(4.0)[:, None]):
    placed, shares = principal_plane(few)
    assert placed.shape == (len(few), 2) and np.isfinite(shares).all()


def test_point_map_shows_kinds(tmp_path):
  points = np.random.default_rng(1).normal(size=(7, 5))
  kinds = ["base"] * 4 + ["combination"] * 3
  point_map(points, list("abcdefg"), kinds, tmp_path / "map.png")
  # As many spots as points and one in the legend.
  for colour, count in ((0, 4), (1, 3)):
    rows = drawn(tmp_path / "map.png", colour).sum()
    assert rows > 40 * count
