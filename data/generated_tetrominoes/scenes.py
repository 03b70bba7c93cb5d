"""What is in a picture of tetrominoes, and the picture.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from data.building.boxes import boxes, visible_pixels
from data.building.generated import Splits, padded, source_of_chance
from data.building.png import encode_png

CELLS, CELL = 7, 5  # cells along a side of the picture, pixels along a side of a cell
SIZE = CELLS * CELL
COLOURS = (
  (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255),
)  # fmt: skip
_DRAWN = {
  "I": ["####"],
  "O": ["##", "##"],
  "T": ["###", ".#."],
  "S": [".##", "##."],
  "Z": ["##.", ".##"],
  "J": ["#..", "###"],
  "L": ["..#", "###"],
}


def _turned() -> dict[str, np.ndarray]:
  """Every tetromino in each of its orientations, bool [h, w]."""
  found = {}
  for letter, rows in _DRAWN.items():
    drawn = np.array([list(row) for row in rows]) == "#"
    known = []
    for turns in range(4):
      cells = np.rot90(drawn, -turns)
      if not any(np.array_equal(cells, other) for other in known):
        known.append(cells)
        found[f"{letter}{90 * turns}"] = cells
  return found


# By letter and clockwise degrees: the 19 fixed tetrominoes.
TETROMINOES = _turned()
SHAPES = tuple(TETROMINOES)


@dataclasses.dataclass(frozen=True)
class Options(Splits):
  """What a set is made of; the config's name spells it."""

  min_objects: int = 3
  max_objects: int = 3
  unique: bool = False  # no two pieces share a colour


class Piece(NamedTuple):
  """One tetromino of a scene."""

  shape: int  # index into SHAPES
  colour: int  # index into COLOURS
  row: int  # of its uppermost cells
  column: int  # of its leftmost cells

  @property
  def cells(self) -> np.ndarray:
    """Where it is on the lattice, bool [CELLS, CELLS]."""
    tetromino = TETROMINOES[SHAPES[self.shape]]
    height, width = tetromino.shape
    lattice = np.zeros((CELLS, CELLS), bool)
    lattice[self.row : self.row + height, self.column : self.column + width] = tetromino
    return lattice

  @property
  def centre(self) -> tuple[float, float]:
    """x and y of the middle of its bounding box, in pixels, y downwards."""
    height, width = TETROMINOES[SHAPES[self.shape]].shape
    return (self.column + width / 2) * CELL, (self.row + height / 2) * CELL


def draw(options: Options, split: str, index: int) -> dict[str, Any]:
  """Scene `index` of `split` as it is stored, without its key."""
  pieces = compose(options, source_of_chance(options.seed, split, index))
  lattice = np.zeros((CELLS, CELLS), np.uint8)
  for label, piece in enumerate(pieces, start=1):
    lattice[piece.cells] = label
  segmentation = lattice.repeat(CELL, axis=0).repeat(CELL, axis=1)[..., None]
  colours = [COLOURS[piece.colour] for piece in pieces]
  palette = np.array([(0, 0, 0), *colours], np.uint8)
  count = options.max_objects
  x, y = zip(*(piece.centre for piece in pieces), strict=True)
  return {
    "image": encode_png(palette[segmentation[..., 0]]),
    "segmentation": encode_png(segmentation),
    "num_objects": len(pieces),
    "bboxes": boxes(segmentation, count),
    "visibility": visible_pixels(segmentation, count),
    "factors": {
      "x": padded(x, count, np.float32),
      "y": padded(y, count, np.float32),
      "shape": padded([piece.shape for piece in pieces], count, np.int32),
      "colour": padded(colours, count, np.uint8),
    },
  }


def compose(options: Options, rng: np.random.Generator) -> list[Piece]:
  """Pieces of any shape and colour, and of all places where none overlap any with equal chance."""
  count = int(rng.integers(options.min_objects, options.max_objects + 1))
  shapes = rng.integers(len(SHAPES), size=count)
  colours = rng.choice(len(COLOURS), size=count, replace=not options.unique)
  rooms = CELLS + 1 - np.array([TETROMINOES[SHAPES[shape]].shape for shape in shapes])
  while True:
    places = rng.integers(rooms)
    rows = np.column_stack([shapes, colours, places]).tolist()
    pieces = [Piece(*row) for row in rows]
    if sum(piece.cells.astype(int) for piece in pieces).max() <= 1:
      return pieces
