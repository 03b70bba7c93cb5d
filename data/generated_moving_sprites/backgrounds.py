"""What moving sprites are seen against: a colour, nothing, a gradient, or a texture that drifts.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import colorsys
from collections.abc import Callable, Sequence

import numpy as np

from data.raycast.textures import TEXTURES

PATTERNS = ("checks", "stripes", "noise")
WIDTHS = (0.15, 0.35)  # of a texture, as a share of the picture
SPEED = (0.4 / 128, 2.0 / 128)  # of a texture, pictures a frame
SHADES = 24  # of a texture or gradient: smooth ones would make files several times as large
SATURATION = (0.2, 0.8)
DARK, LIGHT = (0.03, 0.15), (0.2, 0.4)  # values of colours: all darker than sprites


def flat(rng: np.random.Generator, size: int, frames: int) -> Sequence[np.ndarray]:
  """One colour. As all of these, a picture uint8 [size, size, 3] for every frame."""
  return frames * [np.broadcast_to(_colour(rng, DARK[0], LIGHT[1]), (size, size, 3))]


def black(rng: np.random.Generator, size: int, frames: int) -> Sequence[np.ndarray]:
  """Nothing at all."""
  del rng
  return frames * [np.broadcast_to(np.uint8(0), (size, size, 3))]


def gradient(rng: np.random.Generator, size: int, frames: int) -> Sequence[np.ndarray]:
  """From a dark to a lighter colour along some direction."""
  u, _ = _turned(rng, size, size)
  shares = (u - u.min()) / np.ptp(u)
  return frames * [_mixed(shares, _colour(rng, *DARK), _colour(rng, *LIGHT))]


def texture(rng: np.random.Generator, size: int, frames: int) -> Sequence[np.ndarray]:
  """A pattern of a dark and a lighter colour that moves by whole pixels."""
  angle = rng.uniform(0, 2 * np.pi)
  drift = rng.uniform(*SPEED) * size * np.array([np.sin(angle), np.cos(angle)])
  corners = np.rint(np.arange(frames)[:, None] * drift).astype(int)
  corners -= corners.min(axis=0)
  height, width = size + corners.max(axis=0)
  u, v = _turned(rng, height, width) / (rng.uniform(*WIDTHS) * size)
  depth = np.full(u.shape, rng.uniform(0, 1000))
  place = np.stack([u, v, depth]).reshape(3, -1).astype(np.float32)
  shares = TEXTURES[rng.choice(PATTERNS)](place).reshape(height, width)
  canvas = _mixed(shares, _colour(rng, *DARK), _colour(rng, *LIGHT))
  return [canvas[row : row + size, column : column + size] for row, column in corners]


def _colour(rng: np.random.Generator, darkest: float, lightest: float) -> np.ndarray:
  hue, saturation, value = rng.uniform(), rng.uniform(*SATURATION), rng.uniform(darkest, lightest)
  return np.rint(np.multiply(colorsys.hsv_to_rgb(hue, saturation, value), 255)).astype(np.uint8)


def _turned(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
  """Coordinates of the pixels on two axes at right angles to each other, [2, H, W]."""
  rows, columns = np.mgrid[:height, :width]
  angle = rng.uniform(0, 2 * np.pi)
  cosine, sine = np.cos(angle), np.sin(angle)
  return np.stack([cosine * columns - sine * rows, sine * columns + cosine * rows])


def _mixed(shares: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
  """The colours at `shares`, 0 to 1, of the way between two, uint8 [H, W, 3]."""
  steps = np.linspace(0, 1, SHADES)[:, None]
  palette = np.rint(first + steps * (second.astype(float) - first)).astype(np.uint8)
  return palette[np.rint(shares * (SHADES - 1)).astype(int)]


BACKGROUNDS: dict[str, Callable[[np.random.Generator, int, int], Sequence[np.ndarray]]] = {
  "flat": flat,
  "black": black,
  "gradient": gradient,
  "texture": texture,
}
