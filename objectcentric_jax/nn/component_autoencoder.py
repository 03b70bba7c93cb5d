"""Variational autoencoder of one component, of MONet and GENESIS.

Burgess et al. (2019), appendix B.1; modules/component_vae.py of the GENESIS repository.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.broadcast_decoder import BroadcastDecoder
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import posterior_moments

Array = jax.Array


class ComponentEncoder(nn.Module):
  """[N, S, S, C] to raw moments [N, 2 * latents]: four strided convolutions and an MLP."""

  latents: int
  features: int
  activation: Callable[[Array], Array]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    for i, width in enumerate((1, 1, 2, 2)):
      layer = Conv(width * self.features, 3, 2, 1, dtype=self.dtype, name=f"conv_{i}")
      x = self.activation(layer(x))
    x = x.reshape(x.shape[0], -1)
    hidden = Linear(max(256, 2 * self.latents), self.dtype, name="hidden")
    return Linear(2 * self.latents, self.dtype, name="moments")(self.activation(hidden(x)))


class ComponentAutoencoder(nn.Module):
  """Encodes an image under a mask; decodes by spatial broadcast to `outputs` channels."""

  side: int
  outputs: int
  latents: int
  encoder_features: int = 32
  decoder_features: int = 32
  decoder_layers: int = 4
  activation: Callable[[Array], Array] = nn.elu
  dtype: jnp.dtype | None = None

  def setup(self):
    self.encoder = ComponentEncoder(
      self.latents, self.encoder_features, self.activation, self.dtype
    )
    self.decoder = BroadcastDecoder(
      self.side,
      self.outputs,
      self.decoder_features,
      self.decoder_layers,
      self.activation,
      self.dtype,
    )

  def encode(self, image: Array, log_masks: Array) -> tuple[Array, Array]:
    """Mean and deviation, each [N, latents]; image [N, S, S, C], log_masks [N, S, S, 1]."""
    return posterior_moments(self.encoder(jnp.concatenate([log_masks, image], axis=-1)))

  def decode(self, latent: Array) -> Array:
    """[N, latents] to [N, S, S, outputs], not squashed."""
    return self.decoder(latent)
