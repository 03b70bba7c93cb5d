"""Picture files turned into what records hold."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from data.raw import rgb_files
from data.raw.damage import Damaged
from tests.data.raw_trees import pixels

HEIGHT, WIDTH = 6, 11


def file_of(image, kind, **options) -> bytes:
  content = io.BytesIO()
  image.save(content, kind, **options)
  return content.getvalue()


def turned(image, orientation) -> bytes:
  exif = image.getexif()
  exif[rgb_files.ORIENTATION] = orientation
  return file_of(image, "PNG", exif=exif)


@pytest.fixture
def image():
  return Image.fromarray(pixels(0, HEIGHT, WIDTH))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_plain_files_keep_their_bytes(image, kind):
  content = file_of(image, kind)
  stored, size = rgb_files.stored(content, "a")
  assert stored == content and size == (HEIGHT, WIDTH)


@pytest.mark.parametrize("orientation", range(1, 10))
def test_pictures_are_turned_upright(image, orientation):
  content = turned(image, orientation)
  expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
  stored, size = rgb_files.stored(content, "a")
  assert size == expected.shape[:2] and (stored == content) == (orientation == 1)
  np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stored))), expected)
  assert Image.open(io.BytesIO(stored)).getexif().get(rgb_files.ORIENTATION, 1) in (1, 9)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_other_kinds_become_colours_on_white(image, mode):
  source = image.convert(mode)
  if mode in ("LA", "RGBA"):
    source.putalpha(Image.fromarray(pixels(1, HEIGHT, WIDTH)[..., 0]))
  content = file_of(source, "TIFF" if mode == "CMYK" else "PNG")
  white = Image.new("RGBA", source.size, "white")
  expected = np.asarray(Image.alpha_composite(white, source.convert("RGBA")).convert("RGB"))
  stored, _ = rgb_files.stored(content, "a")
  found = np.asarray(Image.open(io.BytesIO(stored)))
  assert found.shape == (HEIGHT, WIDTH, 3)
  np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)


def test_sixteen_bits_are_refused():
  content = file_of(Image.fromarray(np.full((4, 5), 1000, np.uint16)), "PNG")
  with pytest.raises(Damaged, match="a.png has 16-bit grey values"):
    rgb_files.stored(content, "a.png")


def test_resize_is_that_of_pillow(image):
  array = np.asarray(image)
  found = rgb_files.resize(array, (4, 7), Image.Resampling.BICUBIC)
  np.testing.assert_array_equal(found, np.asarray(image.resize((7, 4))))
  mask = rgb_files.resize(array[..., :1], (4, 7), Image.Resampling.NEAREST)
  expected = image.getchannel(0).resize((7, 4), Image.Resampling.NEAREST)
  np.testing.assert_array_equal(mask[..., 0], np.asarray(expected))
