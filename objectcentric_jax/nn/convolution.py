"""Convolutions on NHWC images with PyTorch's padding, in the forms that are fast on every backend.

Kernels are HWIO. `lax.conv_general_dilated` with `lhs_dilation` is the textbook transposed
convolution, but its gradient is an order of magnitude slower on the CPU; the sub-pixel form here
gives the same numbers with one ordinary convolution. Gradients are written out for the CPU, see
`_correlate`.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax

from objectcentric_jax.nn.initialization import uniform_fan_in

Array = jax.Array
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]  # before and after the rows, and the columns
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def _pair(value: int | Pair) -> Pair:
  return (value, value) if isinstance(value, int) else value


def _plain(
  x: Array, kernel: Array, stride: int, padding: Padding, dilation: int = 1, spread: int = 1
) -> Array:
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    padding,
    lhs_dilation=(spread, spread),
    rhs_dilation=(dilation, dilation),
    dimension_numbers=_LAYOUT,
  )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4, 5))
def _correlate(
  x: Array,
  kernel: Array,
  stride: int,
  padding: Padding,
  dilation: int,
  longest_sum: int | None = None,
) -> Array:
  """The convolution, with gradients that are fast within loops on the CPU, too.

  XLA's CPU backend has fast convolutions for NHWC and HWIO alone. Others it turns into those, but
  not within the body of a loop, where the gradients that JAX derives take up to a hundred times
  as long; so they are brought into that order here. Other backends have faster ones of their own.

  That backend also adds all products of an output up one after the other, and loses digits that
  PyTorch keeps; with a `longest_sum` few channels at a time are convolved there.
  """
  form = partial(_plain, stride=stride, padding=padding, dilation=dilation)

  def in_parts(x, kernel):
    height, width, channels, _ = kernel.shape
    few = channels
    while height * width * few > longest_sum and few > 1:
      few = -(-few // 2)
    parts = [slice(start, start + few) for start in range(0, channels, few)]
    return sum(form(x[..., part], kernel[:, :, part]) for part in parts)

  if longest_sum is None or x.dtype != jnp.float32:
    return form(x, kernel)
  return lax.platform_dependent(x, kernel, cpu=in_parts, default=form)


def _correlate_forward(x, kernel, stride, padding, dilation, longest_sum):
  return _correlate(x, kernel, stride, padding, dilation, longest_sum), (x, kernel)


def _correlate_backward(stride, padding, dilation, longest_sum, inputs, cotangent):
  def derived(x, kernel, cotangent):
    form = partial(_plain, stride=stride, padding=padding, dilation=dilation)
    return jax.vjp(form, x, kernel)[1](cotangent)

  def ordered(x, kernel, cotangent):
    to_x, to_kernel = [], []
    for axis, (low, high) in enumerate(padding):
      reach = (kernel.shape[axis] - 1) * dilation
      covered = (cotangent.shape[1 + axis] - 1) * stride + 1 + reach
      unseen = x.shape[1 + axis] + low + high - covered  # pixels after the last window
      to_x.append((reach - low, reach - high + unseen))
      to_kernel.append((low, high - unseen))
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    x_gradient = _plain(cotangent, turned, 1, to_x, dilation, stride)
    images, windows = x.transpose(3, 1, 2, 0), cotangent.transpose(1, 2, 0, 3)
    kernel_gradient = _plain(images, windows, dilation, to_kernel, stride)
    return x_gradient, kernel_gradient.transpose(1, 2, 0, 3)

  return lax.platform_dependent(*inputs, cotangent, cpu=ordered, default=derived)


_correlate.defvjp(_correlate_forward, _correlate_backward)


def convolve(
  x: Array,
  kernel: Array,
  stride: int = 1,
  padding: int | Pair = 0,
  dilation: int = 1,
  longest_sum: int | None = None,
) -> Array:
  """Cross-correlation as PyTorch's conv2d: x [N, H, W, I], kernel [height, width, I, O].

  `padding` is added on both sides: of rows and of columns where it is a pair; `dilation` is the
  distance of the kernel's taps. A kernel as large as the image is a matrix product. Others add no
  more than `longest_sum` products up one after the other on CPUs, where it is given, for recurrent
  networks in which rounding grows: PyTorch adds 72 or 144 (8 or 16 channels under nine taps).
  """
  rows, columns = _pair(padding)
  if x.shape[1:3] == kernel.shape[:2] and rows == columns == 0:
    outputs = kernel.shape[-1]
    return (x.reshape(len(x), -1) @ kernel.reshape(-1, outputs)).reshape(-1, 1, 1, outputs)
  pad = ((rows, rows), (columns, columns))
  return _correlate(x, kernel, stride, pad, dilation, longest_sum)


def convolve_transposed(
  x: Array, kernel: Array, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Array:
  """PyTorch's conv_transpose2d by one ordinary convolution and a rearrangement (sub-pixel form).

  Args:
    x: [N, H, W, I].
    kernel: [k, k, I, O], k >= stride: PyTorch's weight (I, O, k, k) flipped in space, so that
      stride 1 is an ordinary convolution with padding k - 1 - padding.
    stride: output pixels per input pixel.
    padding: rows and columns cut from each side of the full result.
    output_padding: rows and columns kept beyond the cut at the bottom and right.

  Returns:
    [N, H', W', O] with H' = (H - 1) stride - 2 padding + k + output_padding.

  Output pixel stride * q + r sees the taps t with (r + t - start) divisible by the stride, at input
  pixel q + (r + t - start) / stride: every phase r is a small convolution of the input, so all
  phases together are one convolution with stride^2 times the channels. A single input pixel is a
  matrix product, which saves the products with the padding around it.
  """
  if x.shape[1:3] == (1, 1) and padding == output_padding == 0:
    return jnp.einsum("ni,yxio->nyxo", x[:, 0, 0], kernel[::-1, ::-1])
  size, start = kernel.shape[0], kernel.shape[0] - 1 - padding
  phases = []  # per phase: its first tap and the input offset this tap looks at
  for phase in range(stride):
    first = (start - phase) % stride
    phases.append((first, (phase + first - start) // stride, len(range(first, size, stride))))
  low = min(offset for _, offset, _ in phases)
  high = max(offset + taps for _, offset, taps in phases)

  def place(vertical, horizontal):
    (first_y, offset_y, taps_y), (first_x, offset_x, taps_x) = vertical, horizontal
    part = kernel[first_y::stride, first_x::stride]
    rows = (offset_y - low, high - offset_y - taps_y)
    columns = (offset_x - low, high - offset_x - taps_x)
    return jnp.pad(part, (rows, columns, (0, 0), (0, 0)))

  combined = jnp.concatenate([place(v, h) for v in phases for h in phases], axis=-1)
  count, height, width, _ = x.shape
  channels = kernel.shape[3]
  out_height = (height - 1) * stride - 2 * padding + size + output_padding
  out_width = (width - 1) * stride - 2 * padding + size + output_padding
  rows, columns = -(-out_height // stride), -(-out_width // stride)
  pad = ((-low, rows - height + high - 1), (-low, columns - width + high - 1))
  y = _correlate(x, combined, 1, pad, 1)
  y = y.reshape(count, rows, columns, stride, stride * channels)
  y = y.swapaxes(2, 3).reshape(count, rows * stride, columns * stride, channels)
  return y[:, :out_height, :out_width]


class Conv(nn.Module):
  """Convolution of [N, H, W, I] to [N, H', W', features] with PyTorch's default initialisation.

  `size` and `padding` are those of rows and columns where they are pairs. `dtype` None computes in
  the common type of input and parameters. `kernel_init` is for kernels that start otherwise,
  `longest_sum` for networks in which rounding grows, see `convolve`.
  """

  features: int
  size: int | Pair
  stride: int = 1
  padding: int | Pair = 0
  use_bias: bool = True
  dtype: jnp.dtype | None = None
  dilation: int = 1
  kernel_init: nn.initializers.Initializer | None = None
  longest_sum: int | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    height, width = _pair(self.size)
    init = uniform_fan_in(x.shape[-1] * height * width)
    shape = (height, width, x.shape[-1], self.features)
    kernel = self.param("kernel", self.kernel_init or init, shape, jnp.float32)
    bias = self.param("bias", init, (self.features,), jnp.float32) if self.use_bias else None
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
    y = convolve(x, kernel, self.stride, self.padding, self.dilation, self.longest_sum)
    return y if bias is None else y + bias.reshape(1, 1, 1, -1)


class ConvTranspose(nn.Module):
  """Transposed convolution of [N, H, W, I] to [N, H', W', features]; see `convolve_transposed`.

  PyTorch takes the fan-in of a transposed convolution from its output channels.
  """

  features: int
  size: int
  stride: int = 1
  padding: int = 0
  output_padding: int = 0
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    init = uniform_fan_in(self.features * self.size**2)
    shape = (self.size, self.size, x.shape[-1], self.features)
    kernel = self.param("kernel", init, shape, jnp.float32)
    bias = self.param("bias", init, (self.features,), jnp.float32)
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
    y = convolve_transposed(x, kernel, self.stride, self.padding, self.output_padding)
    return y + bias.reshape(1, 1, 1, -1)
