"""Spatial broadcast decoder (Watters et al., 2019; decoders.py of the GENESIS repository)."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.coordinates import broadcast

Array = jax.Array


class BroadcastDecoder(nn.Module):
  """Latents [N, D] to images [N, side, side, outputs].

  The latent is tiled over a plane with coordinates that is wide enough for the `layers` unpadded
  3x3 convolutions to leave `side` pixels. Each is followed by a normalisation if `norm` is given.
  """

  side: int
  outputs: int
  features: int
  layers: int = 4
  activation: Callable[[Array], Array] = nn.elu
  dtype: jnp.dtype | None = None
  norm: Callable[..., nn.Module] | None = None

  @nn.compact
  def __call__(self, latent: Array) -> Array:
    wide = self.side + 2 * self.layers
    x = broadcast(latent, wide, wide)
    for i in range(self.layers):
      x = Conv(self.features, 3, dtype=self.dtype, name=f"conv_{i}")(x)
      if self.norm is not None:
        x = self.norm(name=f"norm_{i}")(x)
      x = self.activation(x)
    return Conv(self.outputs, 1, dtype=self.dtype, name="output")(x)
