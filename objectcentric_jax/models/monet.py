"""MONet (Burgess et al., 2019, arXiv 1901.11390), as re-implemented with GENESIS.

A U-Net attends to one component after the other, each time to what the earlier ones left; a
component autoencoder explains the image under each mask and reconstructs the mask as well.

Published code: models/monet_config.py of applied-ai-lab/genesis. It differs from the paper by GECO,
equal pixel deviations, Adam and the number of steps; configs/monet has both settings.
"""

import dataclasses
from collections.abc import Mapping
from functools import partial

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError, check_fields, check_positive
from objectcentric_jax.losses.gaussian import normal_kl, sampled_kl
from objectcentric_jax.losses.masks import mask_kl, stick_breaking
from objectcentric_jax.losses.mixture import mixture_error
from objectcentric_jax.models.elbo_task import ElboTask, check_objective, first_deviates
from objectcentric_jax.nn.component_autoencoder import ComponentAutoencoder
from objectcentric_jax.nn.compute import compute_dtype, unroll_length
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample, draw_normal
from objectcentric_jax.nn.normalization import InstanceNorm
from objectcentric_jax.nn.recurrent import scan_slots
from objectcentric_jax.nn.unet import UNet, check_side
from objectcentric_jax.scene import Scene

Array = jax.Array

MASK_DECODERS = ("softmax", "stick_breaking")


@flax.struct.dataclass
class Posterior:
  """Everything MONet computes for a batch of images.

  Attributes:
    log_masks: [B, K, H, W, 1] of the attention network.
    log_scope: [B, K, H, W, 1] what is left to explain before each component.
    mean, deviation, latents: [B, K, D] of the component posterior, and the draw.
    components: [B, K, H, W, 3]; image: [B, H, W, 3], components under the attention masks.
    decoded_log_masks: [B, K, H, W, 1] masks as the components reconstruct them.
  """

  log_masks: Array
  log_scope: Array
  mean: Array
  deviation: Array
  latents: Array
  components: Array
  decoded_log_masks: Array
  image: Array


@flax.struct.dataclass
class Generated:
  """Scenes drawn or decoded, mixed by the decoded masks; shapes as in `Posterior`."""

  latents: Array
  log_masks: Array
  components: Array
  image: Array


class MaskAttention(nn.Module):
  """Log masks and log scopes, each [B, K, S, S, 1], by recurrent attention (class SimpleSBP)."""

  slots: int
  features: int
  unroll: int = 1
  dtype: jnp.dtype | None = None

  def setup(self):
    self.encoder = UNet(self.features, partial(InstanceNorm, dtype=self.dtype), self.dtype)
    self.logit = Conv(1, 1, dtype=self.dtype)

  def __call__(self, image: Array) -> tuple[Array, Array]:
    def step(attention: "MaskAttention", log_scope: Array, _):
      seen = jnp.concatenate([image, log_scope.astype(image.dtype)], axis=-1)
      logit = at_least_float32(attention.logit(attention.encoder(seen)))
      left = log_scope + nn.log_sigmoid(-logit)
      return left, (log_scope + nn.log_sigmoid(logit), log_scope)

    scan = scan_slots(step, self.unroll, self.slots - 1)
    dtype = jnp.promote_types(image.dtype, jnp.float32)
    left, (log_masks, log_scope) = scan(self, jnp.zeros((*image.shape[:3], 1), dtype), None)
    append_left = [jnp.concatenate([x, left[:, None]], axis=1) for x in (log_masks, log_scope)]
    return tuple(append_left)


class Monet(nn.Module):
  """The network. Randomness comes from the stream `noise`, or from the `sample` argument.

  Draws that can be handed in: "latent" [B, K, component_latents], standard normal.

  Attributes:
    side: S, of square images; a power of two from 32 on.
    slots: K, at least 2.
    attention_features: channels of the first blocks of the U-Net.
    mask_decoder: how decoded logits become masks, one of MASK_DECODERS.
    component_latents: D.
    component_encoder_features, component_decoder_features, component_decoder_layers: of the
      component autoencoder.
    bounded_pixels: squash decoded colours to [0, 1].
    unroll: loop steps over slots to unroll.
    dtype: of the computation; None follows inputs and parameters.
  """

  side: int
  slots: int
  attention_features: int = 32
  mask_decoder: str = "softmax"
  component_latents: int = 16
  component_encoder_features: int = 32
  component_decoder_features: int = 32
  component_decoder_layers: int = 4
  bounded_pixels: bool = True
  unroll: int = 1
  dtype: jnp.dtype | None = None

  def setup(self):
    self.attention = MaskAttention(self.slots, self.attention_features, self.unroll, self.dtype)
    self.component = ComponentAutoencoder(
      self.side,
      4,
      self.component_latents,
      self.component_encoder_features,
      self.component_decoder_features,
      self.component_decoder_layers,
      nn.relu,
      self.dtype,
    )

  def __call__(self, image: Array, sample: Sample = True) -> Posterior:
    """Explains images [B, S, S, 3] in [0, 1]; `sample` as in `objectcentric_jax.nn.noise`."""
    log_masks, log_scope = self.attention(image)
    shape = log_masks.shape[:2]
    images = jnp.broadcast_to(image[:, None], (*shape, *image.shape[1:]))
    flat = (x.reshape(-1, *x.shape[2:]) for x in (images, log_masks))
    mean, deviation = (x.reshape(*shape, -1) for x in self.component.encode(*flat))
    noise = draw_normal(self, sample, "latent", mean.shape, mean.dtype)
    latents = mean + noise * deviation
    components, decoded_log_masks = self._decode(latents)
    return Posterior(
      log_masks=log_masks,
      log_scope=log_scope,
      mean=mean,
      deviation=deviation,
      latents=latents,
      components=components,
      decoded_log_masks=decoded_log_masks,
      image=(jnp.exp(log_masks) * components).sum(1),
    )

  def generate(self, count: int, sample: Sample = True, slots: int | None = None) -> Generated:
    """Draws `count` scenes of `slots` components (the model's own number when None).

    Latents are from the standard normal prior; `sample` as in `__call__`.
    """
    slots = self.slots if slots is None else slots
    shape = (count, slots, self.component_latents)
    return self.decode(draw_normal(self, sample, "latent", shape))

  def decode(self, latents: Array) -> Generated:
    """Scenes of these component latents [B, K, D], mixed by the decoded masks."""
    components, log_masks = self._decode(latents)
    return Generated(latents, log_masks, components, (jnp.exp(log_masks) * components).sum(1))

  def _decode(self, latents: Array) -> tuple[Array, Array]:
    decoded = at_least_float32(self.component.decode(latents.reshape(-1, latents.shape[-1])))
    decoded = decoded.reshape(*latents.shape[:2], self.side, self.side, 4)
    components, logits = decoded[..., :3], decoded[..., 3:]
    if self.bounded_pixels:
      components = nn.sigmoid(components)
    if self.mask_decoder == "softmax":
      return components, nn.log_softmax(logits, axis=1)
    return components, stick_breaking(logits)[0]


@dataclasses.dataclass(frozen=True)
class MonetTask(ElboTask):
  """MONet with its objective (paper equation 3).

  Attributes:
    first_pixel_deviation: of the first slot; all others have `pixel_deviation`.
    analytic_kl: of the component latents; else estimated at the draw.
  """

  first_pixel_deviation: float = 0.7
  analytic_kl: bool = False

  def objective_terms(self, posterior: Posterior, image: Array) -> dict[str, Array]:
    slots = posterior.components.shape[1]
    deviation = first_deviates(slots, self.first_pixel_deviation, self.pixel_deviation)
    mean, spread = posterior.mean, posterior.deviation
    if self.analytic_kl:
      kl = normal_kl(mean, spread)
    else:
      kl = sampled_kl(posterior.latents, mean, spread, jnp.zeros_like(mean), jnp.ones_like(mean))
    return {
      "reconstruction": mixture_error(image, posterior.components, posterior.log_masks, deviation),
      "kl_mask": mask_kl(jnp.exp(posterior.log_masks), jnp.exp(posterior.decoded_log_masks)),
      "kl_latent": kl,
    }

  def scene_of(self, result: Posterior | Generated) -> Scene:
    explained = isinstance(result, Posterior)
    return Scene(
      image=result.image,
      masks=jnp.exp(result.log_masks),
      components=result.components,
      latents=result.mean if explained else result.latents,
      other_masks={"decoded": jnp.exp(result.decoded_log_masks)} if explained else {},
    )


NETWORK_FIELDS = (
  "side",
  "slots",
  "attention_features",
  "mask_decoder",
  "component_latents",
  "component_encoder_features",
  "component_decoder_features",
  "component_decoder_layers",
  "bounded_pixels",
)
SIZE_FIELDS = (
  "attention_features",
  "component_latents",
  "component_encoder_features",
  "component_decoder_features",
  "component_decoder_layers",
)
TASK_FIELDS = ("pixel_deviation", "first_pixel_deviation", "analytic_kl")


def make_task(config: Mapping, axis_name: str | None = None) -> MonetTask:
  """Builds the task from `config.model`.

  Fields: those of `Monet` and `MonetTask`; `geco` with `use` and the GECO fields; `unroll` (0
  chooses) and `dtype` ("float32" or "bfloat16").

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, (*NETWORK_FIELDS, *TASK_FIELDS, "geco", "unroll", "dtype"))
  geco = check_objective(config)
  check_side(config["side"])
  check_positive("config.model", config, SIZE_FIELDS)
  if config["slots"] < 2:
    raise InputError(f"config.model.slots is {config['slots']}: at least 2 are needed")
  if config["mask_decoder"] not in MASK_DECODERS:
    known = " or ".join(MASK_DECODERS)
    raise InputError(f"config.model.mask_decoder is {config['mask_decoder']!r}: choose {known}")
  network = Monet(
    **{name: config[name] for name in NETWORK_FIELDS},
    unroll=unroll_length(config["unroll"], config["slots"]),
    dtype=compute_dtype(config["dtype"]),
  )
  return MonetTask(
    network=network,
    **{name: config[name] for name in TASK_FIELDS},
    geco=geco,
    axis_name=axis_name,
  )
