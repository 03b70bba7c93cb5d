"""Small raw files that tests convert, and the records made of them."""

import pathlib

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from data.building.builder import quiet_tfds

HEIGHT, WIDTH = 20, 31
COLOURS = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]  # black first, as in published palettes


def pixels(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
  """A smooth picture, uint8 [H, W, 3], that differs from seed to seed."""
  rng = np.random.default_rng(seed)
  coarse = rng.integers(0, 256, (3, 4, 3), np.uint8)
  return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def ids(seed: int, objects: int = 1, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
  """A mask with rectangles, uint8 [H, W], every id of which is seen."""
  rng = np.random.default_rng(seed)
  mask = np.zeros((height, width), np.uint8)
  for number in range(1, objects + 1):
    left = (number - 1) * width // objects
    top, right = rng.integers(1, height // 2), left + width // (objects + 1)
    mask[top : top + height // 3, left:right] = number
  return mask


def save(path: pathlib.Path, array: np.ndarray, **options) -> pathlib.Path:
  """Writes an array as the picture file that its name says."""
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(array).save(path, **options)
  return path


def save_palette(path: pathlib.Path, array: np.ndarray, colours=COLOURS) -> pathlib.Path:
  """Writes ids [H, W] with a palette."""
  path.parent.mkdir(parents=True, exist_ok=True)
  image = Image.frombytes("P", array.shape[::-1], array.tobytes())
  image.putpalette(colours)
  image.save(path)
  return path


def save_grey(path: pathlib.Path, array: np.ndarray) -> pathlib.Path:
  """Writes a mask [H, W] as black and white."""
  return save(path, np.where(array > 0, np.uint8(255), np.uint8(0)))


def cut_short(path: pathlib.Path, share: float = 0.5) -> None:
  """Leaves only the beginning of a file."""
  content = path.read_bytes()
  path.write_bytes(content[: int(len(content) * share)])


def read(directory: pathlib.Path) -> dict[str, dict[str, dict]]:
  """The examples of every split by their keys."""
  with quiet_tfds():
    builder = tfds.builder_from_directory(directory)
    return {
      split: {e["metadata"]["key"].decode(): e for e in builder.as_data_source(split)}
      for split in builder.info.splits
    }


def views(directory: pathlib.Path) -> dict[str, dict]:
  """The examples of all splits by their keys."""
  return {key: e for split in read(directory).values() for key, e in split.items()}
