"""Settings proposed from a folder of pictures: sizes and grids, and warnings in words."""

import numpy as np
import pytest
from PIL import Image

from experiments import blobs
from experiments.proposal import report
from tests.conftest import finish, run, start

SIDE = 64


def room(places, size=8, seed=0):
  """A shaded picture [SIDE, SIDE, 3] with coloured squares at these top left corners."""
  shade = np.linspace(0.4, 0.6, SIDE)[:, None, None] * np.ones((SIDE, SIDE, 3))
  rng = np.random.default_rng(seed)
  for row, column in places:
    shade[row : row + size, column : column + size] = np.eye(3)[rng.integers(3)]
  return shade


def rooms(count, each, size=8):
  """Pictures of `each` squares apart from each other, in places that differ."""
  rng = np.random.default_rng(1)
  cells = [(16 * row + 2, 16 * column + 3) for row in range(4) for column in range(4)]
  chosen = [rng.permutation(len(cells))[:each] for _ in range(count)]
  return np.stack([room([cells[i] for i in c], size, seed) for seed, c in enumerate(chosen)])


def test_blobs_are_the_squares():
  found = blobs.find_blobs(rooms(5, 3))
  assert [len(boxes) for boxes in found.boxes] == [3] * 5
  sizes = np.concatenate(found.boxes)[:, 2:]
  np.testing.assert_allclose(sizes, 8 / SIDE)
  np.testing.assert_allclose(found.covered, 3 * 64 / SIDE**2)
  centre = blobs.find_blobs(room([(10, 30)])[None]).boxes[0][0, :2]
  np.testing.assert_allclose(centre, [14 / SIDE, 34 / SIDE])


def test_pictures_of_one_camera_are_compared_with_what_they_share():
  """A pattern too fine for surroundings, and one square that moves over it."""
  rng = np.random.default_rng(0)
  pattern = rng.random((SIDE, SIDE, 3))
  pictures = np.repeat(pattern[None], 7, axis=0)
  for i in range(7):
    pictures[i, 8 * i : 8 * i + 8, 20:26] = (1.0, 0.0, 1.0)
  found = blobs.find_blobs(pictures)
  assert found.still and [len(boxes) for boxes in found.boxes] == [1] * 7


def test_crowding_and_size_prior():
  boxes = [np.array([[0.1, 0.1, 0.2, 0.2], [0.2, 0.2, 0.2, 0.2], [0.9, 0.9, 0.2, 0.2]])]
  assert blobs.crowding(boxes, 2) == pytest.approx(1 / 3) and blobs.crowding(boxes, 8) == 0
  assert blobs.crowding([np.zeros((0, 4))], 4) == 0
  mean, deviation = blobs.size_prior(boxes)
  assert mean == pytest.approx(np.log(0.2 / 0.8)) and deviation == 0


def proposal(lines):
  text = "\n".join(lines)
  return {
    name: float(text.split(f"--config.{name}=")[1].split()[0])
    for name in ("model.grid", "model.settled.scale_prior_mean", "model.scale_prior_deviation")
  }


def test_proposals_follow_the_squares():
  lines = report(rooms(25, 4), None, SIDE)
  assert "objects: 4.0 a picture (at most 4), 8 pixels" in lines[1]
  assert "2x2" in lines[2] and "4x4 0%" in lines[2]
  found = proposal(lines)
  assert found["model.grid"] == 4 and found["model.scale_prior_deviation"] == 0.1
  assert found["model.settled.scale_prior_mean"] == pytest.approx(np.log(1 / 7), abs=0.01)
  assert not [line for line in lines if line.startswith("warning")]


def test_warnings_say_what_is_wrong():
  empty = report(rooms(4, 0), None, SIDE)
  assert "the foreground would stay empty and the background take everything" in empty[-1]
  noise = np.random.default_rng(0).random((2, SIDE, SIDE, 3))
  assert "in no separate pieces" in report(noise, [np.zeros((0, 4))] * 2, SIDE)[-1]
  crowd = [np.full((9, 4), 0.1)] * 3
  assert "share a cell of the finest grid, 8x8" in report(rooms(3, 2), crowd, SIDE)[-1]
  mixed = np.concatenate([rooms(1, 3), rooms(4, 0)])
  assert "80% of the pictures show nothing" in report(mixed, None, SIDE)[-1]
  wide = [np.array([[0.5, 0.5, 0.6, 0.9]])] * 3
  assert "wider or higher than half a picture" in report(rooms(3, 1), wide, SIDE)[-1]


def test_the_command_reads_pictures_and_masks(tmp_path):
  for i, picture in enumerate(rooms(3, 4)):
    (tmp_path / "images").mkdir(exist_ok=True)
    Image.fromarray(np.uint8(255 * picture)).save(tmp_path / "images" / f"{i}.png")
  out = run("experiments.suggest", tmp_path, "--side", SIDE, "--images", 2)
  assert out.startswith("2 pictures of 64x64; objects by their surroundings\n")
  assert "--config.model.grid=4" in out
  (tmp_path / "masks").mkdir()
  for i in range(3):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[10:30, 5:15] = 1
    mask[40:50, 40:60] = 2
    Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
  out = run("experiments.suggest", tmp_path, "--side", SIDE)
  assert "objects by their masks" in out and "objects: 2.0 a picture" in out


def test_mistakes_are_one_line(tmp_path):
  for arguments, message in (
    ([], "give one folder of pictures; found 0 arguments"),
    ([tmp_path / "nosuch"], "nosuch does not exist"),
    ([tmp_path, "--side", "60"], "--side is 60: choose one of 32, 64, 128, 256"),
  ):
    status, _, errors = finish(start("experiments.suggest", *arguments))
    assert status == 1 and errors.startswith("error: ") and errors.count("\n") == 1, errors
    assert message in errors
