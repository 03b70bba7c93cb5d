"""Dense layers with PyTorch's initialisations."""

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from objectcentric_jax.nn.initialization import uniform_fan_in, xavier_uniform

Array = jax.Array


class Linear(nn.Module):
  """Affine map of the last axis: [..., I] to [..., features].

  `dtype` None computes in the common type of input and parameters. With `kernel_init` the kernel
  starts otherwise, and the bias at zero.
  """

  features: int
  dtype: jnp.dtype | None = None
  kernel_init: nn.initializers.Initializer | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    init = uniform_fan_in(x.shape[-1])
    bias_init = nn.initializers.zeros if self.kernel_init else init
    kernel_init = self.kernel_init or init
    kernel = self.param("kernel", kernel_init, (x.shape[-1], self.features), jnp.float32)
    bias = self.param("bias", bias_init, (self.features,), jnp.float32)
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
    y = x @ kernel
    return y + bias.reshape((1,) * (y.ndim - 1) + (-1,))


class Mlp(nn.Module):
  """Dense layers of these widths with SiLU between them: [..., I] to [..., features[-1]]."""

  features: Sequence[int]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    for i, features in enumerate(self.features):
      x = nn.silu(x) if i else x
      x = Linear(features, dtype=self.dtype, name=f"layer_{i}")(x)
    return x


class Bottleneck(nn.Module):
  """Two dense layers with SiLU between them and Glorot's initialisation, wider in the middle.

  [..., I] to [..., features] through `hidden`.
  """

  hidden: int
  features: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    linear = partial(Linear, kernel_init=xavier_uniform, dtype=self.dtype)
    return linear(self.features, name="outer")(nn.silu(linear(self.hidden, name="inner")(x)))
