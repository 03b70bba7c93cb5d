"""Dense layer with PyTorch's default initialisation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from objectcentric_jax.nn.initialization import uniform_fan_in

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
