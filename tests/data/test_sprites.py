"""Silhouettes against the published images, and at other sizes."""

import pathlib

import numpy as np
import pytest

from data.multi_dsprites import sprites

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "../shared/golden/datasets/dsprites_shapes"


def full(patch: sprites.Patch, size: int) -> np.ndarray:
  height, width = patch.mask.shape
  picture = np.zeros((size, size), bool)
  picture[patch.row : patch.row + height, patch.column : patch.column + width] = patch.mask
  return picture


def overlap(a: np.ndarray, b: np.ndarray) -> float:
  return (a & b).sum() / (a | b).sum()


def test_silhouettes_are_the_published_ones():
  with np.load(GOLDEN / "arrays.npz") as file:
    parameters, masks = file["params"], file["masks"] > 0
  agreement = {shape: [] for shape in range(3)}
  for (shape, scale, orientation, x, y), mask in zip(parameters, masks, strict=True):
    latents = sprites.Latents(int(shape), scale, 2 * np.pi * orientation / 39, x, y)
    agreement[int(shape)].append(overlap(full(sprites.silhouette(latents), 64), mask))
  assert set(agreement[0]) == {1.0}
  everything = np.concatenate(list(agreement.values()))
  assert everything.min() >= 0.94 and everything.mean() >= 0.985


def test_latents_of_an_index_run_as_published():
  assert sprites.SPRITE_COUNT == 737_280
  assert sprites.latents_of(0) == (0, 0.5, 0, 0, 0)
  assert sprites.latents_of(1) == (0, 0.5, 0, 0, 1 / 31)
  last = sprites.latents_of(sprites.SPRITE_COUNT - 1)
  np.testing.assert_allclose(last, (2, 1.0, 2 * np.pi, 1, 1))
  index = (((1 * 6 + 2) * 40 + 3) * 32 + 4) * 32 + 5
  np.testing.assert_allclose(
    sprites.latents_of(index), (1, 0.7, 6 * np.pi / 39, 4 / 31, 5 / 31), rtol=1e-12
  )


@pytest.mark.parametrize("size", [32, 64, 97])
def test_windows_hold_the_whole_sprite(size, monkeypatch):
  indices = np.random.default_rng(0).integers(sprites.SPRITE_COUNT, size=150)
  cut = [full(sprites.silhouette(sprites.latents_of(int(i)), size), size) for i in indices]
  wide = tuple(outline._replace(reach=64.0) for outline in sprites.OUTLINES)
  monkeypatch.setattr(sprites, "OUTLINES", wide)
  whole = [full(sprites.silhouette(sprites.latents_of(int(i)), size), size) for i in indices]
  np.testing.assert_array_equal(cut, whole)
  assert min(mask.sum() for mask in whole) > 0


@pytest.mark.parametrize("shape", range(3))
def test_sprites_scale_with_the_picture(shape):
  latents = sprites.Latents(shape, 0.8, 1.1, 0.3, 0.6)
  # Each pixel of the small picture has its centre at a corner of four pixels of the large one.
  large = full(sprites.silhouette(latents, 512), 512).reshape(64, 8, 64, 8).mean(axis=(1, 3))
  small = full(sprites.silhouette(latents, 64), 64)
  assert overlap(large > 0.5, small) > 0.95
  assert small[large == 1].all() and not small[large == 0].any()


def test_orientation_is_counter_clockwise_on_the_screen():
  patch = sprites.silhouette(sprites.Latents(1, 1.0, np.pi / 6, 0.5, 0.5))
  rows, columns = np.nonzero(full(patch, 64))
  slope = np.polyfit(columns, rows, 1)[0]
  assert slope < -0.2  # rises to the right: rows get smaller
