"""COCO's run-length encoded masks, as lists of numbers or compressed to text.

Runs go down the columns, from the left one on: so many pixels outside the mask, so many in it, and
so on. As text every number is digits of 5 bits, the lowest first, each a character from "0" on with
a sixth bit where more follow; from the fourth number on it is the difference to the last but one.

Numpy only: worker processes import this module.
"""

from collections.abc import Sequence

import numpy as np

_FIRST = ord("0")
_MORE, _SIGN, _DIGIT = 32, 16, 31
_MOST_DIGITS = 8  # of a number: 40 bits
_ABSOLUTE = 3  # numbers that are no differences


def runs(counts: Sequence[int] | str, height: int, width: int) -> np.ndarray:
  """Where a mask is.

  Args:
    counts: the encoded runs.
    height, width: of the picture.

  Returns:
    int64 [N, 2]: first pixel of each run inside the mask and the one behind its last, counted down
    the columns.

  Raises:
    ValueError: they are no runs, or not as many pixels as the picture has.
  """
  numbers = _decompressed(counts) if isinstance(counts, str) else list(counts)
  if not all(type(number) is int and 0 <= number <= height * width for number in numbers):
    raise ValueError("its runs are not numbers of pixels")
  ends = np.cumsum(np.array(numbers, np.int64))
  pixels = int(ends[-1]) if len(ends) else 0
  if pixels != height * width:
    raise ValueError(f"its runs have {pixels} pixels, the picture {height * width}")
  inside = ends[1::2]
  return np.stack([ends[: len(numbers) - 1 : 2], inside], axis=1).reshape(-1, 2)


def paint(ids: np.ndarray, mask: np.ndarray, number: int) -> None:
  """Gives the pixels of a mask a number.

  Args:
    ids: [width * height], counted down the columns; changed.
    mask: as `runs` returns it.
    number: the id.
  """
  for first, end in mask.tolist():
    ids[first:end] = number


def _decompressed(text: str) -> list[int]:
  numbers, value, digits = [], 0, 0
  for character in text:
    digit = ord(character) - _FIRST
    if not 0 <= digit < 2 * _MORE or digits == _MOST_DIGITS:
      raise ValueError(f"its text holds {character!r} where no digit can be")
    value |= (digit & _DIGIT) << 5 * digits
    digits += 1
    if not digit & _MORE:
      if digit & _SIGN:
        value -= 1 << 5 * digits
      numbers.append(value + (numbers[-2] if len(numbers) >= _ABSOLUTE else 0))
      value, digits = 0, 0
  if digits:
    raise ValueError("its text ends within a number")
  return numbers
