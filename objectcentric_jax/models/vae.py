"""Baseline VAEs without objects, which the GENESIS papers compare generation with.

One latent an image; decoded by gated transposed convolutions or by spatial broadcast. Published
code: models/vae_config.py of applied-ai-lab/genesis.
"""

import dataclasses
from collections.abc import Mapping

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError, check_fields, check_positive
from objectcentric_jax.losses.gaussian import log_normal, sampled_kl
from objectcentric_jax.models.elbo_task import ElboTask, check_objective
from objectcentric_jax.nn.activations import elu
from objectcentric_jax.nn.broadcast_decoder import BroadcastDecoder
from objectcentric_jax.nn.compute import compute_dtype
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.gated import GatedDecoder, GatedEncoder, gated_plan
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32, posterior_deviation
from objectcentric_jax.nn.noise import Sample, draw_normal
from objectcentric_jax.scene import Scene

Array = jax.Array

IMAGE_FEATURES = 256  # of the encoder
BROADCAST_FEATURES = 64  # of the broadcast decoder, and before its last layer
DECODERS = ("transposed", "broadcast")


@flax.struct.dataclass
class Posterior:
  """What the VAE computes for images [B, S, S, 3]: `image`, and the latent's moments [B, D]."""

  mean: Array
  deviation: Array
  latents: Array
  image: Array


@flax.struct.dataclass
class Generated:
  """Images [B, S, S, 3] drawn from the prior or decoded from latents [B, D]."""

  latents: Array
  image: Array


class FeatureBroadcastDecoder(nn.Module):
  """Latents [N, D] to images [N, side, side, 3]: broadcast decoder, ELU, one more layer."""

  side: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latent: Array) -> Array:
    width = BROADCAST_FEATURES
    x = BroadcastDecoder(self.side, width, width, dtype=self.dtype, name="broadcast")(latent)
    return Conv(3, 1, dtype=self.dtype, name="output")(elu(x))


class Vae(nn.Module):
  """The network. Randomness comes from the stream `noise`, or from the `sample` argument.

  Draws that can be handed in: "latent" [B, latents], standard normal.

  Attributes:
    side: S, of square images: 32, 64, 128 or 256.
    latents: D.
    decoder_kind: one of DECODERS.
    bounded_pixels: squash decoded colours to [0, 1].
    dtype: of the computation; None follows inputs and parameters.
  """

  side: int
  latents: int = 64
  decoder_kind: str = "transposed"
  bounded_pixels: bool = True
  dtype: jnp.dtype | None = None

  def setup(self):
    self.encoder = GatedEncoder(IMAGE_FEATURES, dtype=self.dtype)
    self.mean = Linear(self.latents, self.dtype)
    self.deviation = Linear(self.latents, self.dtype)
    if self.decoder_kind == "broadcast":
      self.decoder = FeatureBroadcastDecoder(self.side, self.dtype)
    else:
      self.decoder = GatedDecoder(self.side, 3, dtype=self.dtype)

  def __call__(self, image: Array, sample: Sample = True) -> Posterior:
    """Explains images [B, S, S, 3] in [0, 1]; `sample` as in `objectcentric_jax.nn.noise`."""
    features = self.encoder(image)
    mean = at_least_float32(self.mean(features))
    deviation = posterior_deviation(self.deviation(features))
    noise = draw_normal(self, sample, "latent", mean.shape, mean.dtype)
    latents = mean + noise * deviation
    return Posterior(mean, deviation, latents, self._decode(latents))

  def generate(self, count: int, sample: Sample = True) -> Generated:
    """Draws `count` images from the standard normal prior; `sample` as in `__call__`."""
    noise = draw_normal(self, sample, "latent", (count, self.latents))
    return Generated(noise, self._decode(noise))

  def decode(self, latents: Array) -> Generated:
    """Images of latents laid out as in scenes, [B, 1, D]."""
    return Generated(latents[:, 0], self._decode(latents[:, 0]))

  def _decode(self, latents: Array) -> Array:
    image = at_least_float32(self.decoder(latents))
    return nn.sigmoid(image) if self.bounded_pixels else image


@dataclasses.dataclass(frozen=True)
class VaeTask(ElboTask):
  """A baseline VAE with its ELBO."""

  def objective_terms(self, posterior: Posterior, image: Array) -> dict[str, Array]:
    log_likelihood = log_normal(image, posterior.image, self.pixel_deviation)
    mean = posterior.mean
    prior = jnp.zeros_like(mean), jnp.ones_like(mean)
    return {
      "reconstruction": -log_likelihood.sum((1, 2, 3)),
      "kl_latent": sampled_kl(posterior.latents, mean, posterior.deviation, *prior),
    }

  def scene_of(self, result: Posterior | Generated) -> Scene:
    latents = result.mean if isinstance(result, Posterior) else result.latents
    return Scene(image=result.image, latents=latents[:, None])


NETWORK_FIELDS = ("side", "latents", "decoder_kind", "bounded_pixels")


def make_task(config: Mapping, axis_name: str | None = None) -> VaeTask:
  """Builds the task from `config.model`.

  Fields: those of `Vae`; `pixel_deviation`; `geco` with `use` and the GECO fields; `dtype`
  ("float32" or "bfloat16").

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, (*NETWORK_FIELDS, "pixel_deviation", "geco", "dtype"))
  geco = check_objective(config)
  gated_plan(config["side"])
  check_positive("config.model", config, ["latents"])
  if config["decoder_kind"] not in DECODERS:
    known = " or ".join(DECODERS)
    raise InputError(f"config.model.decoder_kind is {config['decoder_kind']!r}: choose {known}")
  network = Vae(
    **{name: config[name] for name in NETWORK_FIELDS}, dtype=compute_dtype(config["dtype"])
  )
  return VaeTask(network, config["pixel_deviation"], geco, axis_name)
