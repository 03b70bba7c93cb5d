"""Cutting and pasting glimpses against bilinear sampling pixel by pixel in float64.

Sizes differ for every axis: B 2, N 3, H 11, W 14, C 4, glimpses of 5 (cut) and 6 x 7 (paste).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.nn.glimpses import cut, image_boxes, paste, paste_sum

BATCH, COUNT, HEIGHT, WIDTH, CHANNELS = 2, 3, 11, 14, 4
RNG = np.random.default_rng(0)
BOXES = np.concatenate(
  [RNG.uniform(0.1, 0.9, (BATCH, COUNT, 2)), RNG.uniform(-1.2, 1.2, (BATCH, COUNT, 2))], -1
)
IMAGES = RNG.uniform(size=(BATCH, HEIGHT, WIDTH, CHANNELS))
GLIMPSES = RNG.uniform(size=(BATCH, COUNT, 6, 7, CHANNELS))


def sampled(image, x, y):
  """Bilinear value of image [H, W, C] at a point, x and y in [-1, 1]; zeros beyond the border."""
  height, width = image.shape[:2]
  column, row = ((x + 1) * width - 1) / 2, ((y + 1) * height - 1) / 2
  left, top = int(np.floor(column)), int(np.floor(row))
  value = np.zeros(image.shape[-1])
  for i in (top, top + 1):
    for j in (left, left + 1):
      if 0 <= i < height and 0 <= j < width:
        value += (1 - abs(row - i)) * (1 - abs(column - j)) * image[i, j]
  return value


def resampled(image, height, width, point):
  """[height, width, C]: the image at point(u, v) for the centres of pixels in [-1, 1]."""
  u = (2 * np.arange(width) + 1) / width - 1
  v = (2 * np.arange(height) + 1) / height - 1
  return np.array([[sampled(image, *point(a, b)) for a in u] for b in v])


def reference_cut(side):
  def one(image, box):
    return resampled(image, side, side, lambda u, v: (box[0] * u + box[2], box[1] * v + box[3]))

  pairs = zip(IMAGES, BOXES, strict=True)
  return np.array([[one(image, box) for box in boxes] for image, boxes in pairs])


def reference_paste():
  def one(glimpse, box):
    inverse = 1 / (box[:2] + 1e-9)
    point = lambda u, v: ((u - box[2]) * inverse[0], (v - box[3]) * inverse[1])  # noqa: E731
    return resampled(glimpse, HEIGHT, WIDTH, point)

  rows = zip(GLIMPSES, BOXES, strict=True)
  return np.array([[one(g, b) for g, b in zip(*row, strict=True)] for row in rows])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_equal_to_sampling_pixel_by_pixel(dtype, tolerance):
  with jax.enable_x64(dtype == np.float64):
    images, glimpses, boxes = (x.astype(dtype) for x in (IMAGES, GLIMPSES, BOXES))
    found = jax.jit(cut, static_argnums=2)(images, boxes, 5)
    pasted = jax.jit(paste, static_argnums=(2, 3))(glimpses, boxes, HEIGHT, WIDTH)
    added = jax.jit(paste_sum, static_argnums=(2, 3))(glimpses, boxes, HEIGHT, WIDTH)
  assert found.dtype == pasted.dtype == added.dtype == dtype
  expected = reference_paste()
  assert (expected == 0).any() and (expected > 0).any()  # some of the canvas is outside
  np.testing.assert_allclose(found, reference_cut(5), atol=tolerance)
  np.testing.assert_allclose(pasted, expected, atol=tolerance)
  np.testing.assert_allclose(added, expected.sum(1), atol=COUNT * tolerance)


def test_the_whole_image_is_cut_and_pasted_unchanged():
  image, box = IMAGES[:1, :, :HEIGHT].astype(np.float32), np.array([[[1, 1, 0, 0]]], np.float32)
  np.testing.assert_allclose(cut(image, box, HEIGHT)[:, 0], image, atol=1e-5)
  np.testing.assert_allclose(paste(image[:, None], box, HEIGHT, HEIGHT)[:, 0], image, atol=1e-5)


def test_the_first_numbers_of_a_box_are_those_of_columns():
  image = np.zeros((1, 8, 16, 1), np.float32)
  image[0, 2:4, 12:16] = 1  # rows from -0.5 to 0, columns from 0.5 to 1
  box = np.array([[[0.25, 0.25, 0.75, -0.25]]], np.float32)
  np.testing.assert_allclose(cut(image, box, 2), 1.0)
  canvas = paste(np.ones((1, 1, 4, 4, 1), np.float32), box, 8, 16)[0, 0, ..., 0]
  rows, columns = np.nonzero(np.asarray(canvas) > 0.5)
  assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 3, 12, 15)


def test_boxes_have_the_gradient_of_small_differences():
  weight = np.random.default_rng(1).standard_normal((BATCH, HEIGHT, WIDTH, CHANNELS))

  with jax.enable_x64(True):

    def value(boxes):
      patches = cut(IMAGES, boxes, 5)
      return (paste_sum(GLIMPSES, boxes, HEIGHT, WIDTH) * weight).sum() + (patches**2).sum()

    value = jax.jit(value)
    gradient = jax.grad(value)(jnp.asarray(BOXES))
    for index in np.ndindex(*BOXES.shape):
      step = np.zeros_like(BOXES)
      step[index] = 1e-7
      slope = (value(BOXES + step) - value(BOXES - step)) / 2e-7
      assert abs(slope - gradient[index]) < 1e-5 * max(1.0, abs(slope)), index


def test_where_a_position_meets_a_pixel_the_derivative_is_that_to_the_right():
  """As in PyTorch, which looks at the pixel and its right neighbour there."""
  ramp = np.array([0.0, 1.0, 5.0, 7.0], np.float32).reshape(1, 1, 4, 1)

  def middle(shift):
    box = jnp.stack([jnp.float32(1), jnp.float32(1), shift, jnp.float32(0)]).reshape(1, 1, 4)
    return cut(jnp.broadcast_to(ramp, (1, 4, 4, 1)), box, 4)[0, 0, 1, 1, 0]

  value, slope = jax.value_and_grad(middle)(jnp.float32(0))
  assert value == 1.0
  assert slope == pytest.approx((5.0 - 1.0) * 4 / 2)  # a shift of 1 is half the image


def test_tiny_boxes_stay_finite():
  box = jnp.array([[[0.0, 0.0, 0.1, 0.1]]], jnp.float32)
  glimpse = jnp.ones((1, 1, 4, 4, 1), jnp.float32)
  total = lambda box: paste_sum(glimpse, box, 8, 8).sum()  # noqa: E731
  value, gradient = jax.value_and_grad(total)(box)
  assert np.isfinite(value) and np.isfinite(gradient).all()


def test_boxes_of_a_scene():
  """A box half as wide as the image, a quarter as high, in the middle of its right border."""
  found = image_boxes(jnp.asarray([[0.5, 0.25, 1.0, 0.0]]))
  np.testing.assert_allclose(found, [[0.5, 1.0, 0.25, 0.5]])
