"""Run-length encoded masks, by hand and as COCO writes them."""

import numpy as np
import pytest

from data.motsynth import rle

# Encoded with pycocotools.
TEXTS = {
  "522000OO2": ["....#", ".###.", ".###.", "....."],
  "06>M0NF": ["#......", "#.....#", "#..#...", "#..#...", "#..#...", "#......"],
}


def mask(rows):
  return np.array([[character == "#" for character in row] for row in rows])


def decoded(counts, height, width):
  ids = np.zeros(height * width, np.uint8)
  rle.paint(ids, rle.runs(counts, height, width), 1)
  return ids.reshape(width, height).T.astype(bool)


def encoded(mask):
  """Numbers of pixels outside, inside, outside ... going down the columns."""
  counts, inside = [0], False
  for pixel in mask.T.ravel().tolist():
    if pixel != inside:
      counts.append(0)
      inside = pixel
    counts[-1] += 1
  return counts


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_the_published_encoder(text):
  expected = mask(TEXTS[text])
  np.testing.assert_array_equal(decoded(text, *expected.shape), expected)
  np.testing.assert_array_equal(decoded(encoded(expected), *expected.shape), expected)


@pytest.mark.parametrize(
  "text, numbers",
  [
    ("538", [5, 3, 8]),
    ("2344", [2, 3, 4, 7]),  # the fourth is a difference: 3 + 4
    ("294H", [2, 9, 4, 1]),  # 9 - 8
    ("d0", [20]),  # its fifth bit would be a sign, so that a second digit follows
    ("o0", [31]),
    ("P1", [32]),
    ("PP1", [1024]),
    ("", []),
  ],
)
def test_digits(text, numbers):
  ends = np.cumsum([0, *numbers])
  expected = [[ends[i], ends[i + 1]] for i in range(1, len(numbers), 2)]
  found = rle.runs(text, int(ends[-1]), 1)
  np.testing.assert_array_equal(found, np.reshape(expected, (-1, 2)))


@pytest.mark.parametrize("seed", range(5))
def test_any_mask(seed):
  rng = np.random.default_rng(seed)
  height, width = rng.integers(1, 40, 2)
  expected = rng.uniform(size=(height, width)) < rng.uniform()
  np.testing.assert_array_equal(decoded(encoded(expected), height, width), expected)


@pytest.mark.parametrize(
  "counts, words",
  [
    ([5, 3], "8 pixels, the picture 12"),
    ([], "0 pixels"),
    ([13], "not numbers of pixels"),
    ([14, -2], "not numbers of pixels"),
    ([6.0, 6.0], "not numbers of pixels"),
    ([True, 11], "not numbers of pixels"),
    ("5 3", "holds ' '"),
    ("5\x90", "holds"),
    ("d", "ends within a number"),
    ("P" * 9, "holds 'P'"),
    ("H<", "not numbers of pixels"),
  ],
)
def test_what_is_no_mask(counts, words):
  with pytest.raises(ValueError, match=words):
    rle.runs(counts, 4, 3)
