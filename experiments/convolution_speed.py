"""Times the forms of objectcentric_jax/nn/convolution.py beside the plain ones of jax.lax.

python -m experiments.convolution_speed [--repeats 10]

Every line is a layer of a model here for 4 images of 64 x 64 pixels with 5 components: what
forward pass and both gradients take in our form, in the plain form, and their ratio.
"""

import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax import lax

from experiments import command
from objectcentric_jax.nn.convolution import convolve, convolve_transposed

FLAGS = flags.FLAGS
flags.DEFINE_integer("repeats", 10, "times each is run; the fastest counts", lower_bound=1)

LAYOUT = ("NHWC", "HWIO", "NHWC")
Form = Callable[[jax.Array, jax.Array], jax.Array]


def plain(kernel: int, stride: int, padding: int, output_padding: int) -> Form:
  """The transposed convolution as the textbook has it, over an input spread by zeros."""
  low = kernel - 1 - padding
  pad = ((low, low + output_padding),) * 2

  def apply(x, weight):
    return lax.conv_general_dilated(
      x, weight, (1, 1), pad, lhs_dilation=(stride, stride), dimension_numbers=LAYOUT
    )

  return apply


def plain_whole(x: jax.Array, weight: jax.Array) -> jax.Array:
  """A convolution whose kernel is as large as the image."""
  return lax.conv_general_dilated(x, weight, (1, 1), "VALID", dimension_numbers=LAYOUT)


def transposed(stride: int, padding: int, output_padding: int) -> Form:
  """Our transposed convolution."""
  return lambda x, weight: convolve_transposed(x, weight, stride, padding, output_padding)


def repeated(form: Form) -> Form:
  """The same convolution three times in a loop, as recurrent models have it."""

  def apply(x, weight):
    return lax.scan(lambda y, _: (jnp.tanh(form(y, weight)), None), x, None, 3)[0]

  return apply


# name, input, kernel, our form, plain form
CASES = (
  (
    "transposed 5x5 stride 2, 64 to 64, 32 x 32",
    (20, 16, 16, 64),
    (5, 5, 64, 64),
    transposed(2, 2, 1),
    plain(5, 2, 2, 1),
  ),
  (
    "transposed 5x5 stride 1, 64 to 64, 32 x 32",
    (20, 32, 32, 64),
    (5, 5, 64, 64),
    transposed(1, 2, 0),
    plain(5, 1, 2, 0),
  ),
  (
    "transposed 16x16 of one pixel, 64 to 128",
    (20, 1, 1, 64),
    (16, 16, 64, 128),
    transposed(1, 0, 0),
    plain(16, 1, 0, 0),
  ),
  ("16x16 of a 16 x 16 map, 64 to 512", (4, 16, 16, 64), (16, 16, 64, 512), convolve, plain_whole),
  (
    "3x3 in a loop of three, 32 to 32, 32 x 32",
    (4, 32, 32, 32),
    (3, 3, 32, 32),
    repeated(partial(convolve, padding=1)),
    repeated(plain(3, 1, 1, 0)),
  ),
)


def main(_):
  print(f"{jax.local_devices()[0].device_kind}, forward and gradients, milliseconds")
  print(f"  {'layer':<46}{'ours':>8}{'plain':>9}{'ratio':>8}")
  for name, x_shape, kernel_shape, ours, theirs in CASES:
    rng = np.random.default_rng(0)
    x, weight = (jnp.asarray(rng.standard_normal(s), jnp.float32) for s in (x_shape, kernel_shape))
    times = [1e3 * fastest(form, x, weight) for form in (ours, theirs)]
    print(f"  {name:<46}{times[0]:8.1f}{times[1]:9.1f}{times[1] / times[0]:8.1f}", flush=True)


def fastest(form: Form, x: jax.Array, weight: jax.Array) -> float:
  """Seconds of the form with the gradients of a sum of squares, at its best."""
  step = jax.jit(jax.value_and_grad(lambda x, weight: (form(x, weight) ** 2).sum(), (0, 1)))
  jax.block_until_ready(step(x, weight))
  times = []
  for _ in range(FLAGS.repeats):
    start = time.perf_counter()
    jax.block_until_ready(step(x, weight))
    times.append(time.perf_counter() - start)
  return min(times)


if __name__ == "__main__":
  command.run(main, __doc__)
