"""GENESIS (Engelcke, Kosiorek, Parker Jones and Posner, ICLR 2020, arXiv 1907.13052).

A mask network draws one latent after the other and decodes them into masks by stick-breaking; a
component autoencoder explains the image under each mask; an autoregressive prior over the mask
latents and a prior of the component latents given them make the model generative. GENESIS-S, the
one-stage form, decodes colours from the mask latents.

Published code: models/genesis_config.py and modules/attention.py of applied-ai-lab/genesis.
"""

import dataclasses
from collections.abc import Mapping
from functools import partial

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError, check_fields, check_positive
from objectcentric_jax.losses.gaussian import sampled_kl
from objectcentric_jax.losses.masks import stick_breaking
from objectcentric_jax.losses.mixture import mixture_error
from objectcentric_jax.models.elbo_task import ElboTask, check_objective, first_deviates
from objectcentric_jax.nn.activations import elu
from objectcentric_jax.nn.autoregressive_prior import AutoregressivePrior
from objectcentric_jax.nn.broadcast_decoder import BroadcastDecoder
from objectcentric_jax.nn.component_autoencoder import ComponentAutoencoder
from objectcentric_jax.nn.compute import compute_dtype, unroll_length
from objectcentric_jax.nn.gated import GatedDecoder, GatedEncoder, gated_plan
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import (
  at_least_float32,
  posterior_deviation,
  posterior_moments,
  prior_moments,
)
from objectcentric_jax.nn.noise import Sample, draw_normal
from objectcentric_jax.nn.normalization import BatchNorm, InstanceNorm
from objectcentric_jax.nn.recurrent import LSTM, scan_slots
from objectcentric_jax.scene import Scene

Array = jax.Array

IMAGE_FEATURES = 256  # of the mask network's encoder
PRIOR_HIDDEN = 256  # units of both learned priors
NORMS = ("batch", "instance", "none")
SYMMETRIC_SIDES = (32, 64)


@flax.struct.dataclass
class Moments:
  """A Gaussian over latents and a draw from it, each [B, K, D], with the prior's moments."""

  mean: Array
  deviation: Array
  latents: Array
  prior_mean: Array
  prior_deviation: Array

  def kl(self) -> Array:
    """One-sample KL of each slot's latent to its prior: [B, K], nats."""
    return sampled_kl(
      self.latents, self.mean, self.deviation, self.prior_mean, self.prior_deviation
    )


@flax.struct.dataclass
class Posterior:
  """Everything GENESIS computes for a batch of images.

  Attributes:
    masks: of the mask latents; None with one slot.
    parts: of the component latents; None with one stage.
    log_masks: [B, K, H, W, 1].
    log_scope: [B, K + 1, H, W, 1], see `stick_breaking`; None with one slot.
    components: [B, K, H, W, 3]; image: [B, H, W, 3].
  """

  masks: Moments | None
  parts: Moments | None
  log_masks: Array
  log_scope: Array | None
  components: Array
  image: Array


@flax.struct.dataclass
class Generated:
  """Scenes drawn from the prior or decoded; `latents` [B, K, D] as in the model's scenes."""

  latents: Array
  log_masks: Array
  components: Array
  image: Array


class MaskPosterior(nn.Module):
  """q(z_k | image, z_1 .. z_{k-1}) of mask latents of size D (class LatentSBP)."""

  size: int
  norm: nn.Module | None
  unroll: int = 1
  dtype: jnp.dtype | None = None

  def setup(self):
    self.encoder = GatedEncoder(IMAGE_FEATURES, self.norm, self.dtype)
    self.first_mean = Linear(self.size, self.dtype)
    self.first_deviation = Linear(self.size, self.dtype)
    self.lstm = LSTM(2 * self.size, dtype=self.dtype)
    self.moments = Linear(2 * self.size, self.dtype)

  def __call__(self, image: Array, noise: Array) -> tuple[Array, Array, Array]:
    """Means, deviations and draws with this noise, all [B, K, D]."""
    features = self.encoder(image)
    mean = at_least_float32(self.first_mean(features))
    deviation = posterior_deviation(self.first_deviation(features))
    latent = mean + noise[:, 0] * deviation

    def step(posterior: "MaskPosterior", carry, noise: Array):
      latent, state = carry
      seen = jnp.concatenate([features, latent.astype(features.dtype)], axis=-1)
      hidden, state = posterior.lstm(seen[:, None], state)
      mean, deviation = posterior_moments(posterior.moments(hidden[:, 0]))
      latent = mean + noise * deviation
      return (latent, state), (mean, deviation, latent)

    scan = scan_slots(step, self.unroll)
    zeros = jnp.zeros((len(latent), 2 * self.size), features.dtype)
    _, following = scan(self, (latent, (zeros, zeros)), noise[:, 1:])
    first = (mean, deviation, latent)
    joined = (jnp.concatenate([a[:, None], b], 1) for a, b in zip(first, following, strict=True))
    return tuple(joined)


class GatedAutoencoder(nn.Module):
  """Component autoencoder of gated convolutions both ways, option `comp_symmetric`.

  From "Reconstruction Bottlenecks in Object-Centric Generative Models" (Engelcke et al., 2020).
  """

  side: int
  outputs: int
  latents: int
  encoder_norm: nn.Module | None
  decoder_norm: nn.Module | None
  dtype: jnp.dtype | None = None

  def setup(self):
    self.encoder = GatedEncoder(2 * self.latents, self.encoder_norm, self.dtype)
    self.decoder = GatedDecoder(self.side, self.outputs, self.decoder_norm, self.dtype)

  def encode(self, image: Array, log_masks: Array) -> tuple[Array, Array]:
    """Mean and deviation, each [N, latents]; image [N, S, S, C], log_masks [N, S, S, 1]."""
    return posterior_moments(self.encoder(jnp.concatenate([log_masks, image], axis=-1)))

  def decode(self, latent: Array) -> Array:
    """[N, latents] to [N, S, S, outputs], not squashed."""
    return self.decoder(latent)


class ComponentPrior(nn.Module):
  """p(component latent | mask latent), slot by slot: [..., D] to moments [..., size]."""

  size: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, mask_latents: Array) -> tuple[Array, Array]:
    x = mask_latents
    for i in range(2):
      x = elu(Linear(PRIOR_HIDDEN, self.dtype, name=f"hidden_{i}")(x))
    return prior_moments(Linear(2 * self.size, self.dtype, name="moments")(x))


class Genesis(nn.Module):
  """The network. Randomness comes from the stream `noise`, or from the `sample` argument.

  Draws that can be handed in: "mask_latent" [B, K, mask_latents] and "component_latent" [B, K,
  component_latents], standard normal.

  Attributes:
    side: S, of square images: 32, 64, 128 or 256.
    slots: K.
    two_stage: components have latents of their own; else their colours come from the mask latents.
    autoregressive_prior: of the mask latents; else the standard normal.
    component_prior: component latents depend on the mask latents; else the standard normal.
    mask_latents: D, size of a slot's mask latent.
    encoder_norm, decoder_norm: of the gated convolutions, one of NORMS.
    component_latents, component_encoder_features, component_decoder_features,
    component_decoder_layers: of the component autoencoder; the last two also of the one-stage
      decoder.
    symmetric_components: gated convolutions in the component autoencoder, too.
    bounded_pixels: squash decoded colours to [0, 1].
    squash_sampled_means: use the prior of training when scenes are drawn. The published code
      leaves out the tanh there, and its FID scores were made so.
    unroll: loop steps over slots to unroll.
    dtype: of the computation; None follows inputs and parameters.
    axis_name: device axis over which batch statistics are taken, under pmap.
  """

  side: int
  slots: int
  two_stage: bool = True
  autoregressive_prior: bool = True
  component_prior: bool = True
  mask_latents: int = 64
  encoder_norm: str = "batch"
  decoder_norm: str = "batch"
  component_latents: int = 16
  component_encoder_features: int = 32
  component_decoder_features: int = 32
  component_decoder_layers: int = 4
  symmetric_components: bool = False
  bounded_pixels: bool = True
  squash_sampled_means: bool = True
  unroll: int = 1
  dtype: jnp.dtype | None = None
  axis_name: str | None = None

  def setup(self):
    dtype = self.dtype
    norms = {
      "batch": partial(BatchNorm, axis_name=self.axis_name, dtype=dtype),
      "instance": partial(InstanceNorm, dtype=dtype),
      "none": None,
    }
    encoder_norm, decoder_norm = norms[self.encoder_norm], norms[self.decoder_norm]
    if self.slots > 1:
      self.mask_posterior = MaskPosterior(self.mask_latents, encoder_norm, self.unroll, dtype)
      self.mask_decoder = GatedDecoder(self.side, 1, decoder_norm, dtype)
      if self.autoregressive_prior:
        self.mask_prior = AutoregressivePrior(self.mask_latents, PRIOR_HIDDEN, self.unroll, dtype)
    if not self.two_stage:
      self.decoder = BroadcastDecoder(
        self.side,
        3,
        self.component_decoder_features,
        self.component_decoder_layers,
        dtype=dtype,
      )
      return
    if self.symmetric_components:
      self.component = GatedAutoencoder(
        self.side, 3, self.component_latents, encoder_norm, decoder_norm, dtype
      )
    else:
      self.component = ComponentAutoencoder(
        self.side,
        3,
        self.component_latents,
        self.component_encoder_features,
        self.component_decoder_features,
        self.component_decoder_layers,
        dtype=dtype,
      )
    if self.component_prior and self.slots > 1:
      self.component_prior_network = ComponentPrior(self.component_latents, dtype)

  def __call__(self, image: Array, sample: Sample = True) -> Posterior:
    """Explains images [B, S, S, 3] in [0, 1]; `sample` as in `objectcentric_jax.nn.noise`."""
    if self.slots > 1:
      masks = self._explain_masks(image, sample)
      log_masks, log_scope = self._decode_masks(masks.latents)
      mask_latents = masks.latents
    else:
      masks = log_scope = mask_latents = None
      log_masks = jnp.zeros_like(image[:, None, ..., :1])
    parts = None
    if self.two_stage:
      parts = self._explain_components(image, log_masks, mask_latents, sample)
    components = self._decode_components(mask_latents if parts is None else parts.latents)
    return Posterior(
      masks=masks,
      parts=parts,
      log_masks=log_masks,
      log_scope=log_scope,
      components=components,
      image=(jnp.exp(log_masks) * components).sum(1),
    )

  def generate(self, count: int, sample: Sample = True) -> Generated:
    """Draws `count` scenes; `sample` as in `__call__`."""
    latents = []
    mask_latents = None
    if self.slots > 1:
      shape = (count, self.slots, self.mask_latents)
      mask_latents = draw_normal(self, sample, "mask_latent", shape)
      if self.autoregressive_prior:
        mask_latents = self.mask_prior.draw(mask_latents, self.squash_sampled_means)
      latents.append(mask_latents)
    if self.two_stage:
      shape = (count, self.slots, self.component_latents)
      noise = draw_normal(self, sample, "component_latent", shape)
      mean, deviation = self._component_prior_moments(mask_latents, noise)
      latents.append(mean + noise * deviation)
    return self.decode(jnp.concatenate(latents, axis=-1))

  def decode(self, latents: Array) -> Generated:
    """Scenes of latents [B, K, D]: mask latents (if K > 1), then component latents (two stages)."""
    split = self.mask_latents if self.slots > 1 else 0
    mask_latents, component_latents = latents[..., :split], latents[..., split:]
    if self.slots > 1:
      log_masks, _ = self._decode_masks(mask_latents)
    else:
      log_masks = jnp.zeros((len(latents), 1, self.side, self.side, 1), latents.dtype)
    components = self._decode_components(component_latents if self.two_stage else mask_latents)
    return Generated(latents, log_masks, components, (jnp.exp(log_masks) * components).sum(1))

  def _explain_masks(self, image: Array, sample: Sample) -> Moments:
    shape = (len(image), self.slots, self.mask_latents)
    dtype = jnp.promote_types(image.dtype, jnp.float32)
    noise = draw_normal(self, sample, "mask_latent", shape, dtype)
    mean, deviation, latents = self.mask_posterior(image, noise)
    if self.autoregressive_prior:
      prior_mean, prior_deviation = self.mask_prior(latents)
    else:
      prior_mean, prior_deviation = jnp.zeros_like(mean), jnp.ones_like(mean)
    return Moments(mean, deviation, latents, prior_mean, prior_deviation)

  def _decode_masks(self, latents: Array) -> tuple[Array, Array]:
    """Log masks and scopes; all slots of all images in one batch, as batch statistics want it."""
    logits = at_least_float32(self.mask_decoder(latents.reshape(-1, latents.shape[-1])))
    return stick_breaking(logits.reshape(*latents.shape[:2], self.side, self.side, 1))

  def _explain_components(
    self, image: Array, log_masks: Array, mask_latents: Array | None, sample: Sample
  ) -> Moments:
    shape = log_masks.shape[:2]
    images = jnp.broadcast_to(image[:, None], (*shape, *image.shape[1:]))
    flat = (x.reshape(-1, *x.shape[2:]) for x in (images, log_masks))
    mean, deviation = (x.reshape(*shape, -1) for x in self.component.encode(*flat))
    noise = draw_normal(self, sample, "component_latent", mean.shape, mean.dtype)
    prior_mean, prior_deviation = self._component_prior_moments(mask_latents, mean)
    return Moments(mean, deviation, mean + noise * deviation, prior_mean, prior_deviation)

  def _component_prior_moments(
    self, mask_latents: Array | None, like: Array
  ) -> tuple[Array, Array]:
    if self.component_prior and self.slots > 1:
      return self.component_prior_network(mask_latents)
    return jnp.zeros_like(like), jnp.ones_like(like)

  def _decode_components(self, latents: Array) -> Array:
    """Colours [B, K, S, S, 3] of the latents [B, K, D] that hold them."""
    decode = self.component.decode if self.two_stage else self.decoder
    colours = at_least_float32(decode(latents.reshape(-1, latents.shape[-1])))
    colours = colours.reshape(*latents.shape[:2], self.side, self.side, 3)
    return nn.sigmoid(colours) if self.bounded_pixels else colours


@dataclasses.dataclass(frozen=True)
class GenesisTask(ElboTask):
  """GENESIS with its objective (paper equation 6).

  Attributes:
    first_pixel_deviation: of the first slot; all others have `pixel_deviation`.
  """

  first_pixel_deviation: float = 0.7

  def objective_terms(self, posterior: Posterior, image: Array) -> dict[str, Array]:
    slots = posterior.components.shape[1]
    deviation = first_deviates(slots, self.first_pixel_deviation, self.pixel_deviation)
    error = mixture_error(image, posterior.components, posterior.log_masks, deviation)
    terms = {"reconstruction": error}
    if posterior.masks is not None:
      terms["kl_mask"] = posterior.masks.kl()
    if posterior.parts is not None:
      terms["kl_latent"] = posterior.parts.kl()
    return terms

  def scene_of(self, result: Posterior | Generated) -> Scene:
    if isinstance(result, Posterior):
      means = [part.mean for part in (result.masks, result.parts) if part is not None]
      latents = jnp.concatenate(means, axis=-1)
    else:
      latents = result.latents
    return Scene(
      image=result.image,
      masks=jnp.exp(result.log_masks),
      components=result.components,
      latents=latents,
    )


NETWORK_FIELDS = (
  "side",
  "slots",
  "two_stage",
  "autoregressive_prior",
  "component_prior",
  "mask_latents",
  "encoder_norm",
  "decoder_norm",
  "component_latents",
  "component_encoder_features",
  "component_decoder_features",
  "component_decoder_layers",
  "symmetric_components",
  "bounded_pixels",
  "squash_sampled_means",
)
SIZE_FIELDS = (
  "slots",
  "mask_latents",
  "component_latents",
  "component_encoder_features",
  "component_decoder_features",
  "component_decoder_layers",
)
TASK_FIELDS = ("pixel_deviation", "first_pixel_deviation")


def make_task(config: Mapping, axis_name: str | None = None) -> GenesisTask:
  """Builds the task from `config.model`.

  Fields: those of `Genesis` and `GenesisTask`; `geco` with `use` and the GECO fields; `unroll` (0
  chooses) and `dtype` ("float32" or "bfloat16").

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, (*NETWORK_FIELDS, *TASK_FIELDS, "geco", "unroll", "dtype"))
  geco = check_objective(config)
  gated_plan(config["side"])
  check_positive("config.model", config, SIZE_FIELDS)
  if config["slots"] == 1 and not config["two_stage"]:
    raise InputError("config.model.slots is 1: one stage (two_stage False) needs at least 2")
  if config["symmetric_components"] and config["side"] not in SYMMETRIC_SIDES:
    known = " or ".join(map(str, SYMMETRIC_SIDES))
    raise InputError(
      f"config.model.symmetric_components is for images of side {known}, not {config['side']}"
    )
  for name in ("encoder_norm", "decoder_norm"):
    if config[name] not in NORMS:
      raise InputError(f"config.model.{name} is {config[name]!r}: choose one of {', '.join(NORMS)}")
  network = Genesis(
    **{name: config[name] for name in NETWORK_FIELDS},
    unroll=unroll_length(config["unroll"], config["slots"]),
    dtype=compute_dtype(config["dtype"]),
    axis_name=axis_name,
  )
  return GenesisTask(
    network=network,
    **{name: config[name] for name in TASK_FIELDS},
    geco=geco,
    axis_name=axis_name,
  )
