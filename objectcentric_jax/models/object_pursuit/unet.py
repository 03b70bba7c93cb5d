"""The U-Net that one-shot segmentation is compared with (Ronneberger, Fischer and Brox, 2015).

model/unet of pptrick/Object-Pursuit, in its bilinear form.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.normalization import BatchNorm
from objectcentric_jax.nn.resampling import doubled

Array = jax.Array

DOWN = (2, 4, 8, 8)  # channels of the blocks on the way down, in multiples of the first one's
UP = (4, 2, 1, 1)  # and on the way up


class DoubleConv(nn.Module):
  """Twice a 3x3 convolution, batch normalisation and ReLU: [B, H, W, I] to [B, H, W, features]."""

  features: int
  middle: int
  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    for i, features in enumerate((self.middle, self.features)):
      x = Conv(features, 3, padding=1, dtype=self.dtype, name=f"conv_{i}")(x)
      x = nn.relu(BatchNorm(axis_name=self.axis_name, dtype=self.dtype, name=f"norm_{i}")(x))
    return x


class UNet(nn.Module):
  """Images [B, H, W, 3] to mask logits [B, H, W, outputs].

  Attributes:
    width: channels of the first block.
    outputs: masks.
  """

  width: int = 64
  outputs: int = 1
  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, image: Array) -> Array:
    def block(name, x, features, middle):
      return DoubleConv(features, middle, self.axis_name, self.dtype, name=name)(x)

    x = block("inside", image, self.width, self.width)
    skips = []
    for number, factor in enumerate(DOWN):
      skips.append(x)
      features = factor * self.width
      x = block(f"down_{number}", nn.max_pool(x, (2, 2), (2, 2)), features, features)
    for number, factor in enumerate(UP):
      skip = skips.pop()
      x = jnp.concatenate([skip, _fitted(doubled(doubled(x, 1), 2), skip)], axis=-1)
      x = block(f"up_{number}", x, factor * self.width, x.shape[-1] // 2)
    return Conv(self.outputs, 1, dtype=self.dtype, name="output")(x)


def _fitted(x: Array, skip: Array) -> Array:
  """`x` with rows and columns of zeros around it, to the size of `skip`."""
  missing = [(skip.shape[axis] - x.shape[axis]) for axis in (1, 2)]
  around = [(m // 2, m - m // 2) for m in missing]
  return jnp.pad(x, ((0, 0), *around, (0, 0)))
