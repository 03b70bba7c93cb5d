"""Procedural textures: how much of a material's second colour there is at a point of a solid.

A texture is a function of the place in the solid's own axes, so that it has no seams and moves with
the solid. Places are float32 [3, N] in widths of the texture; results are float32 [N], 0 to 1.
"""

import numpy as np

OCTAVES = 3  # of the noise
OFF_EDGE = np.float32(1e-3)  # flat faces often lie between two checks, where rounding would speckle


def flat(place: np.ndarray) -> np.ndarray:
  """The first colour everywhere."""
  return np.zeros(place.shape[1], np.float32)


def checks(place: np.ndarray) -> np.ndarray:
  """Cubes of the two colours in turn."""
  return (np.floor(place + OFF_EDGE).sum(axis=0) % 2).astype(np.float32)


def stripes(place: np.ndarray) -> np.ndarray:
  """Layers of the two colours across the diagonal of x, y and z."""
  return (np.floor(place.sum(axis=0) + OFF_EDGE) % 2).astype(np.float32)


def noise(place: np.ndarray) -> np.ndarray:
  """Cloudy blobs: smooth noise at several widths, spread over 0 to 1."""
  total, weight = np.zeros(place.shape[1], np.float32), 1.0
  for octave in range(OCTAVES):
    total += np.float32(weight) * _smooth_noise(place * np.float32(2**octave) + 31.7 * octave)
    weight /= 2
  # The sum is rarely near its ends; this uses the whole range.
  centred = total / np.float32(2 - 2 * weight) - np.float32(0.5)
  return np.clip(np.float32(0.5) + np.float32(2.2) * centred, 0, 1)


def _smooth_noise(place: np.ndarray) -> np.ndarray:
  """Random values at whole places, smoothly joined, [N] in 0 to 1."""
  whole = np.floor(place)
  part = (place - whole).astype(np.float32)
  part = part * part * (3 - 2 * part)
  x, y, z = whole.astype(np.int64).astype(np.uint32)
  total = np.zeros(place.shape[1], np.float32)
  for corner in np.ndindex(2, 2, 2):
    value = _hash(x + np.uint32(corner[0]), y + np.uint32(corner[1]), z + np.uint32(corner[2]))
    for axis in range(3):
      value = value * (part[axis] if corner[axis] else 1 - part[axis])
    total += value
  return total


def _hash(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
  """A random-looking value in 0 to 1 of three whole numbers, float32 [N]."""
  mixed = x * np.uint32(0x8DA6B343) + y * np.uint32(0xD8163841) + z * np.uint32(0xCB1AB31F)
  mixed ^= mixed >> np.uint32(15)
  mixed *= np.uint32(0x2C1B3C6D)
  mixed ^= mixed >> np.uint32(12)
  mixed *= np.uint32(0x297A2D39)
  mixed ^= mixed >> np.uint32(15)
  return mixed.astype(np.float32) * np.float32(2.0**-32)


TEXTURES = {"flat": flat, "checks": checks, "stripes": stripes, "noise": noise}
