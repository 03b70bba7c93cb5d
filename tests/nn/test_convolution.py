"""Convolutions against the textbook forms of `lax`."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from objectcentric_jax.nn.convolution import Conv, ConvTranspose, convolve, convolve_transposed

LAYOUT = ("NHWC", "HWIO", "NHWC")
GEOMETRIES = [  # kernel size, stride, padding, output padding
  (5, 2, 2, 1),
  (4, 2, 1, 0),
  (4, 1, 0, 0),
  (3, 2, 1, 0),
  (3, 2, 1, 1),
  (6, 3, 1, 0),
  (2, 2, 0, 0),
  (5, 2, 0, 0),
  (3, 1, 1, 0),
  (5, 1, 2, 0),
  (8, 1, 0, 0),
]


def dilated(x, kernel, stride, padding, output_padding):
  """Transposed convolution as the convolution of an image with zeros between its pixels."""
  low = kernel.shape[0] - 1 - padding
  pad = ((low, low + output_padding),) * 2
  return lax.conv_general_dilated(
    x, kernel, (1, 1), pad, lhs_dilation=(stride, stride), dimension_numbers=LAYOUT
  )


def draw(*shapes):
  rng = np.random.default_rng(0)
  return [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes]


@pytest.mark.parametrize("size, stride, padding, output_padding", GEOMETRIES)
def test_transposed_equals_dilated_in_values_and_gradients(size, stride, padding, output_padding):
  x, kernel = draw((2, 3, 5, 4), (size, size, 4, 6))
  geometry = (stride, padding, output_padding)
  (cotangent,) = draw(jax.eval_shape(lambda *a: dilated(*a, *geometry), x, kernel).shape)

  @jax.jit
  def both(x, kernel, cotangent):
    results = []
    for form in (convolve_transposed, dilated):
      y, pull = jax.vjp(lambda x, k, form=form: form(x, k, *geometry), x, kernel)
      results.append((y, *pull(cotangent)))
    return results

  found, expected = both(x, kernel, cotangent)
  height = (3 - 1) * stride - 2 * padding + size + output_padding
  width = (5 - 1) * stride - 2 * padding + size + output_padding
  assert found[0].shape == expected[0].shape == (2, height, width, 6)
  for name, ours, theirs in zip(("y", "dx", "dkernel"), found, expected, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=3e-4, err_msg=name)


def test_transposed_of_one_pixel_is_its_kernel():
  """A 1 x 1 input shows the kernel, turned by half a turn: PyTorch's weight itself."""
  _, kernel = draw((1,), (5, 5, 1, 2))
  found = convolve_transposed(jnp.ones((1, 1, 1, 1)), kernel, 2)
  np.testing.assert_array_equal(found[0], kernel[::-1, ::-1, 0])


@pytest.mark.parametrize("size, stride, padding", [(3, 1, 1), (3, 2, 1), (5, 2, 2), (1, 1, 0)])
def test_convolution_equals_a_loop_over_windows(size, stride, padding):
  x, kernel = draw((2, 6, 9, 3), (size, size, 3, 4))
  found = np.asarray(convolve(x, kernel, stride, padding))
  padded = np.pad(np.asarray(x, np.float64), ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
  rows, columns = ((n + 2 * padding - size) // stride + 1 for n in (6, 9))
  expected = np.zeros((2, rows, columns, 4))
  for i in range(rows):
    for j in range(columns):
      top, left = i * stride, j * stride
      window = padded[:, top : top + size, left : left + size]
      expected[:, i, j] = np.einsum("nhwi,hwio->no", window, np.asarray(kernel, np.float64))
  assert found.shape == expected.shape
  np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
  "size, stride, padding, dilation",
  [
    ((3, 3), 1, (1, 1), 1),
    ((3, 2), 2, (1, 0), 1),
    ((4, 4), 2, (1, 1), 1),
    ((5, 3), 3, (0, 2), 1),
    ((1, 1), 2, (0, 0), 1),
    ((1, 1), 1, (1, 2), 1),
    ((3, 3), 1, (4, 4), 2),
    ((3, 3), 2, (2, 2), 2),
  ],
)
def test_gradients_equal_those_that_jax_derives(size, stride, padding, dilation):
  x, kernel = draw((2, 9, 12, 3), (*size, 3, 4))
  geometry = {"rhs_dilation": (dilation,) * 2, "dimension_numbers": LAYOUT}

  def plain(x, kernel):
    pad = [(p, p) for p in padding]
    return lax.conv_general_dilated(x, kernel, (stride, stride), pad, **geometry)

  def ours(x, kernel):
    return convolve(x, kernel, stride, padding, dilation)

  (cotangent,) = draw(jax.eval_shape(plain, x, kernel).shape)
  found, expected = (jax.vjp(form, x, kernel)[1](cotangent) for form in (ours, plain))
  for name, mine, theirs in zip(("dx", "dkernel"), found, expected, strict=True):
    np.testing.assert_allclose(mine, theirs, atol=1e-4, err_msg=name)
  several = jnp.stack([kernel, 2 * kernel])  # generated kernels have an axis of their own
  found, expected = (
    jax.vjp(jax.vmap(form, (None, 0)), x, several)[1](jnp.stack([cotangent] * 2))
    for form in (ours, plain)
  )
  for name, mine, theirs in zip(("dx", "dkernel"), found, expected, strict=True):
    np.testing.assert_allclose(mine, theirs, atol=3e-4, err_msg=f"{name} of two kernels")


def test_convolutions_of_a_loop_are_in_the_order_that_the_cpu_is_fast_in():
  x, kernel = draw((2, 8, 8, 4), (3, 3, 4, 4))

  def repeated(x, kernel):
    return lax.scan(lambda y, _: (convolve(y, kernel, padding=1), None), x, None, 3)[0].sum()

  compiled = jax.jit(jax.grad(repeated, (0, 1))).lower(x, kernel).compile().as_text()
  orders = re.findall(r"dim_labels=(\S+?),", compiled)
  assert len(orders) >= 2 and set(orders) == {"b01f_01io->b01f"}


@pytest.mark.parametrize(("channels", "size"), [(128, 3), (256, 1), (75, 4)])
def test_short_sums_are_as_exact_as_pytorchs(channels, size):
  """Error in single precision, as a multiple of the unit roundoff: PyTorch's is 3.4 to 3.6."""
  x, kernel = draw((2, 16, 16, channels), (size, size, channels, 32))

  @partial(jax.jit, static_argnums=2)
  def short(x, kernel, longest_sum):
    return convolve(x, kernel, padding=size // 2, longest_sum=longest_sum)

  with jax.enable_x64(True):
    wide = (jnp.asarray(np.asarray(array, np.float64)) for array in (x, kernel))
    expected = np.asarray(short(*wide, 144))
  assert expected.dtype == np.float64

  def error(y):
    return np.sqrt(np.mean((y - expected) ** 2) / np.mean(expected**2)) * 2**24

  for longest_sum in (72, 144):
    assert error(np.asarray(short(x, kernel, longest_sum))) < 3
  (cotangent,) = draw(expected.shape)
  mine, theirs = (
    jax.vjp(partial(short, longest_sum=most), x, kernel)[1](cotangent) for most in (144, None)
  )
  jax.tree.map(np.testing.assert_array_equal, mine, theirs)


def test_kernel_as_large_as_the_image_is_one_window():
  x, kernel = draw((2, 6, 9, 3), (6, 9, 3, 4))
  expected = np.einsum("nhwi,hwio->no", *(np.asarray(a, np.float64) for a in (x, kernel)))
  np.testing.assert_allclose(convolve(x, kernel)[:, 0, 0], expected, atol=1e-4)
  assert convolve(x, kernel, padding=1).shape == (2, 3, 3, 4)


def test_transposed_of_one_pixel_of_many_channels_equals_the_dilated_form():
  x, kernel = draw((2, 1, 1, 3), (8, 8, 3, 4))
  dilated = lax.conv_general_dilated(
    x, kernel, (1, 1), ((7, 7), (7, 7)), dimension_numbers=("NHWC", "HWIO", "NHWC")
  )
  np.testing.assert_allclose(convolve_transposed(x, kernel), dilated, atol=1e-5)


def test_conv_module_adds_its_bias_and_follows_types():
  (x,) = draw((2, 6, 9, 3))
  module = Conv(4, 3, stride=2, padding=1)
  params = module.init(jax.random.key(0), x)["params"]
  assert params["kernel"].shape == (3, 3, 3, 4) and params["bias"].shape == (4,)
  found = module.apply({"params": params}, x)
  expected = convolve(x, params["kernel"], 2, 1) + params["bias"][None, None, None]
  np.testing.assert_array_equal(found, expected)
  assert "bias" not in Conv(4, 3, use_bias=False).init(jax.random.key(0), x)["params"]
  low = Conv(4, 3, stride=2, padding=1, dtype=jnp.bfloat16).apply({"params": params}, x)
  assert low.dtype == jnp.bfloat16
  np.testing.assert_allclose(np.asarray(low, np.float32), expected, atol=0.05)
  with jax.enable_x64(True):
    double = jax.tree.map(lambda p: np.asarray(p, np.float64), params)
    exact = module.apply({"params": double}, np.asarray(x, np.float64))
  assert exact.dtype == np.float64
  np.testing.assert_allclose(found, exact, atol=1e-5)


def test_transposed_module_adds_its_bias():
  (x,) = draw((2, 3, 5, 4))
  module = ConvTranspose(6, 5, 2, 2, 1)
  params = module.init(jax.random.key(0), x)["params"]
  assert params["kernel"].shape == (5, 5, 4, 6)
  found = module.apply({"params": params}, x)
  expected = dilated(x, params["kernel"], 2, 2, 1) + params["bias"][None, None, None]
  assert found.shape == (2, 6, 10, 6)
  np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
  "module, fan_in",
  [(Conv(40, 3), 16 * 9), (ConvTranspose(40, 3), 40 * 9)],
  ids=["convolution", "transposed: from the output channels"],
)
def test_initial_weights_fill_the_bounds_of_pytorch(module, fan_in):
  (x,) = draw((1, 5, 5, 16))
  params = module.init(jax.random.key(3), x)["params"]
  bound = fan_in**-0.5
  for name in ("kernel", "bias"):
    largest = float(jnp.abs(params[name]).max())
    assert 0.85 * bound < largest <= bound, name
  assert float(params["kernel"].std()) == pytest.approx(bound / 3**0.5, rel=0.05)
  assert abs(float(params["kernel"].mean())) < 0.05 * bound
