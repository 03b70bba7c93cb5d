"""GENESIS-V2 (Engelcke, Parker Jones and Posner, NeurIPS 2021, arXiv 2104.09958).

An encoder embeds every pixel; instance colouring stick-breaking (IC-SBP) groups pixels around
randomly drawn seed pixels, without assuming an order or a number of objects; each group is pooled
into a latent and decoded on its own; an autoregressive prior makes the model generative.

Published code: models/genesisv2_config.py of applied-ai-lab/genesis.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import partial

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.losses.gaussian import sampled_kl
from objectcentric_jax.losses.masks import mask_kl, straight_through_clip
from objectcentric_jax.losses.mixture import mixture_error
from objectcentric_jax.models.elbo_task import ElboTask, check_objective
from objectcentric_jax.nn.autoregressive_prior import AutoregressivePrior
from objectcentric_jax.nn.compute import compute_dtype, unroll_length
from objectcentric_jax.nn.convolution import Conv, ConvTranspose
from objectcentric_jax.nn.coordinates import broadcast, coordinates, with_coordinates
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32, posterior_moments
from objectcentric_jax.nn.noise import Sample, draw_normal, draw_uniform
from objectcentric_jax.nn.normalization import GroupNorm
from objectcentric_jax.nn.unet import ConvBlock, UNet, check_side
from objectcentric_jax.scene import Scene

Array = jax.Array

EMBEDDING_SIZE = 8
NO_SLOT = -1e10  # log mask of a slot that was not found

KERNELS = ("gaussian", "laplacian", "epanechnikov")


def kernel_start(kernel: str, slots: int) -> float:
  """Initial log of the kernel width, such that K seeds share the plane."""
  width = {
    "gaussian": 1.0 / (slots * math.log(2)),
    "laplacian": 1.0 / (math.sqrt(slots) * math.log(2)),
    "epanechnikov": 2.0 / slots,
  }[kernel]
  return math.log(width)


def similarity(kernel: str, embedding: Array, seed: Array, log_width: Array) -> Array:
  """How much each pixel belongs to the seed: embedding [B, H, W, E], seed [B, E] -> [B, H, W, 1].

  Values in [0, 1]. The epanechnikov kernel is zero, with zero gradient, outside its support.
  """
  width = jnp.exp(log_width)
  squared = ((embedding - seed[:, None, None]) ** 2).sum(-1, keepdims=True)
  if kernel == "gaussian":
    return jnp.exp(-squared / width)
  if kernel == "laplacian":
    return jnp.exp(-jnp.sqrt(straight_through_clip(squared, 1e-10, 1e10)) / width)
  return nn.relu(1 - squared / width)


@flax.struct.dataclass
class Grouping:
  """Result of instance colouring.

  Attributes:
    log_masks: [B, K, H, W, 1]; slots that were not found hold NO_SLOT.
    log_scope: [B, K, H, W, 1] what is left to explain before each slot.
    seeds: [B, K - 1, E] embedding of the seed pixel of each step.
    found: [B, K] bool; all true unless slots are dynamic.
  """

  log_masks: Array
  log_scope: Array
  seeds: Array
  found: Array


def instance_colouring(
  embedding: Array,
  field: Array,
  log_width: Array,
  kernel: str,
  slots: int,
  smallest_segment: float = 0.0,
  unroll: int = 1,
) -> Grouping:
  """IC-SBP (paper section 3.1, algorithm 1).

  Args:
    embedding: [B, H, W, E] pixel embeddings.
    field: [B, H, W, 1] uniform draws in [0, 1); the seed of a step is the pixel where field times
      remaining scope is largest.
    log_width: scalar log of the kernel width.
    kernel: one of KERNELS.
    slots: K; the last one takes what is left.
    smallest_segment: above 0, an image stops as soon as a mask sums to fewer pixels; the
      rejected mask is not stored and what is left becomes the last mask.
    unroll: steps of the loop to unroll.
  """
  batch, height, width, size = embedding.shape
  pixels = embedding.reshape(batch, height * width, size)

  def step(carry, _):
    log_scope, searching = carry  # [B, H, W, 1], [B]
    # The choice of the seed carries no gradient; the embedding at the seed does.
    score = lax.stop_gradient(field * jnp.exp(log_scope)).reshape(batch, -1)
    index = score.argmax(-1)
    seed = jnp.take_along_axis(pixels, index[:, None, None], axis=1)[:, 0]  # [B, E]
    share = straight_through_clip(similarity(kernel, embedding, seed, log_width), 0.01, 0.99)
    log_mask = log_scope + jnp.log(share)
    accepted = searching
    if smallest_segment > 0:
      accepted = searching & (jnp.exp(log_mask).sum((1, 2, 3)) >= smallest_segment)
    is_accepted, is_searching = accepted[:, None, None, None], searching[:, None, None, None]
    stored = jnp.where(is_accepted, log_mask, jnp.where(is_searching, log_scope, NO_SLOT))
    left = jnp.where(is_accepted, log_scope + jnp.log(1 - share), log_scope)
    return (left, accepted), (stored, log_scope, seed, searching)

  start = (jnp.zeros_like(embedding[..., :1]), jnp.ones((batch,), bool))
  (left, searching), stacked = lax.scan(step, start, None, length=slots - 1, unroll=unroll)
  log_masks, log_scope, seeds, found = (jnp.moveaxis(part, 0, 1) for part in stacked)
  last = jnp.where(searching[:, None, None, None], left, NO_SLOT)
  return Grouping(
    log_masks=jnp.concatenate([log_masks, last[:, None]], axis=1),
    log_scope=jnp.concatenate([log_scope, left[:, None]], axis=1),
    seeds=seeds,
    found=jnp.concatenate([found, searching[:, None]], axis=1),
  )


class PixelEmbedding(nn.Module):
  """1x1 convolution to the embedding; semi-convolutional when asked (Novotny et al., 2018).

  The semi-convolutional form adds the pixel's own coordinates to the last two channels and scales
  what is learned by a gate that starts at zero, so that grouping starts out purely spatial. With
  `own_colours` above 0 it adds the pixel's colours, times that, to the three channels before.

  Returns the embedding [B, H, W, E] and the learned offset to the coordinates [B, H, W, 2], or
  None for the plain form.
  """

  semiconvolutional: bool
  own_colours: float = 0.0
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, features: Array, image: Array) -> tuple[Array, Array | None]:
    embedding = Conv(EMBEDDING_SIZE, 1, dtype=self.dtype, name="conv")(features)
    if not self.semiconvolutional:
      return embedding, None
    gate = self.param("gate", nn.initializers.zeros, (), jnp.float32)
    embedding = gate * embedding
    grid = coordinates(features.shape[1], features.shape[2], embedding.dtype)
    own = jnp.pad(grid, ((0, 0), (0, 0), (EMBEDDING_SIZE - 2, 0)))[None]
    if self.own_colours:
      colours = self.own_colours * image.astype(embedding.dtype)
      own = own + jnp.pad(colours, ((0, 0), (0, 0), (0, 0), (EMBEDDING_SIZE - 5, 2)))
    return embedding + own, embedding[..., -2:]


class PosteriorHead(nn.Module):
  """Pooled features [N, 2D] to mean and deviation of the latent, each [N, D].

  Means start out near 0, about 0.02 apart between images, which noise of the published first
  deviation, nearly 1, drowns; `first_deviation` above 0 is one to start from instead.
  """

  first_deviation: float = 0.0
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, pooled: Array) -> tuple[Array, Array]:
    width = pooled.shape[-1]
    x = nn.LayerNorm(epsilon=1e-5, use_fast_variance=False, dtype=self.dtype, name="norm")(pooled)
    x = nn.relu(Linear(width, self.dtype, name="hidden")(x))
    raw = Linear(width, self.dtype, name="moments")(x)
    if self.first_deviation:
      shift = math.log(math.expm1(self.first_deviation)) - 0.5  # raw 0 is softplus(0.5)
      raw = raw.at[..., width // 2 :].add(shift)
    return posterior_moments(raw)


class SlotDecoder(nn.Module):
  """Latents [N, D] to colours and a mask logit [N, S, S, 4]: four transposed convolutions."""

  side: int
  features: tuple[int, ...]
  norm: Callable[..., nn.Module]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latent: Array) -> Array:
    x = broadcast(latent, self.side // 16, self.side // 16)
    for i, features in enumerate(self.features):
      x = ConvTranspose(features, 5, 2, 2, 1, dtype=self.dtype, name=f"conv_{i}")(x)
      x = nn.relu(self.norm(name=f"norm_{i}")(x))
    return at_least_float32(Conv(4, 1, dtype=self.dtype, name="colour_and_mask")(x))


@flax.struct.dataclass
class Posterior:
  """Everything GENESIS-V2 computes for a batch of images; D latent size.

  Attributes:
    grouping: instance colouring of the encoder.
    embedding: [B, H, W, 8]; offset: [B, H, W, 2] or None.
    mean, deviation, latents: [B, K, D] of the component posterior, and the draw.
    prior_mean, prior_deviation: [B, K, D].
    components: [B, K, H, W, 3]; log_masks: [B, K, H, W, 1] decoded; image: [B, H, W, 3].
  """

  grouping: Grouping
  embedding: Array
  offset: Array | None
  mean: Array
  deviation: Array
  latents: Array
  prior_mean: Array
  prior_deviation: Array
  components: Array
  log_masks: Array
  image: Array


@flax.struct.dataclass
class Generated:
  """Scenes drawn from the prior; shapes as in `Posterior`."""

  latents: Array
  components: Array
  log_masks: Array
  image: Array


class GenesisV2(nn.Module):
  """The network. Randomness comes from the stream `noise`, or from the `sample` argument.

  Attributes:
    side: S, of square images; a power of two from 32 on.
    slots: K.
    features: F, size of pixel features and latents; at most 64, a multiple of `norm_groups`.
    norm_groups: groups of the group normalisations. With few channels in a group, a flat region
      keeps little of its colour: narrow networks need fewer groups than the published 8.
    kernel: of the instance colouring.
    semiconvolutional: pixel embeddings know where they are.
    encoder_coordinates: the encoder sees colours from -1 to 1 and the coordinates of its pixels as
      two more channels. Without them a mean over a segment of its features tells little of where
      the segment is before long training, and nothing of the brightness of the whole image.
    own_colours: above 0, a semi-convolutional embedding also adds the pixel's own colours, times
      this, to three further channels: grouping starts out by place and colour.
    first_width: of the kernel; 0 takes the published start.
    first_deviation: of the component posterior, about; 0 takes the published start, nearly 1.
    autoregressive_prior: else every slot's prior is the standard normal.
    bounded_pixels: squash decoded colours to [0, 1].
    smallest_segment: pixels below which an image needs no further slot; 0: always K slots. The
      published option `dynamic_K` uses 20, whatever the image size.
    decode_missing_slots: slots an image did not need are decoded, mixed and counted in the KL all
      the same, as the published code does for batches of more than one image.
    unroll: loop steps over slots to unroll.
    dtype: of the computation; None follows inputs and parameters.
  """

  side: int
  slots: int
  features: int = 64
  norm_groups: int = 8
  kernel: str = "gaussian"
  semiconvolutional: bool = True
  encoder_coordinates: bool = False
  own_colours: float = 0.0
  first_width: float = 0.0
  first_deviation: float = 0.0
  autoregressive_prior: bool = True
  bounded_pixels: bool = True
  smallest_segment: float = 0.0
  decode_missing_slots: bool = False
  unroll: int = 1
  dtype: jnp.dtype | None = None

  def setup(self):
    width, dtype = self.features, self.dtype
    norm = partial(GroupNorm, groups=self.norm_groups, dtype=dtype)
    self.encoder = UNet(width, norm, dtype)
    self.segmentation_head = ConvBlock(width, norm, dtype)
    self.embedding = PixelEmbedding(self.semiconvolutional, self.own_colours, dtype)
    start = kernel_start(self.kernel, self.slots)
    if self.first_width:
      start = math.log(self.first_width)
    self.log_kernel_width = self.param(
      "log_kernel_width", nn.initializers.constant(start), (), jnp.float32
    )
    self.feature_head = ConvBlock(width, norm, dtype)
    self.feature_projection = Conv(2 * width, 1, dtype=dtype)
    self.posterior = PosteriorHead(self.first_deviation, dtype)
    self.decoder = SlotDecoder(self.side, (width,) * 4, norm, dtype)
    if self.autoregressive_prior:
      self.prior = AutoregressivePrior(width, 4 * width, self.unroll, dtype)

  def __call__(self, image: Array, sample: Sample = True) -> Posterior:
    """Explains images [B, S, S, 3] in [0, 1].

    Args:
      image: the images.
      sample: True draws latents; False takes their means; a mapping gives the draws: "latent"
        [B, K, D] standard normal, "field" [B, S, S, 1] uniform in [0, 1). The field, which chooses
        seed pixels, is drawn whenever it is not given.
    """
    seen = with_coordinates(2 * image - 1) if self.encoder_coordinates else image
    features = nn.relu(self.encoder(seen))
    embedding, offset = self.embedding(self.segmentation_head(features), image)
    embedding = at_least_float32(embedding)
    field = draw_uniform(self, sample, "field", image.shape[:3] + (1,), embedding.dtype)
    grouping = instance_colouring(
      embedding,
      field,
      self.log_kernel_width,
      self.kernel,
      self.slots,
      self.smallest_segment,
      self.unroll,
    )
    values = self.feature_projection(self.feature_head(features))  # [B, S, S, 2F]
    masks = jnp.exp(grouping.log_masks)[..., 0]  # [B, K, S, S]
    pooled = jnp.einsum("bkhw,bhwd->bkd", masks, at_least_float32(values))
    pooled = pooled / (masks.sum((2, 3))[..., None] + 1e-5)
    mean, deviation = self.posterior(pooled)
    noise = draw_normal(self, sample, "latent", mean.shape, mean.dtype)
    latents = mean + noise * deviation
    if self.autoregressive_prior:
      prior_mean, prior_deviation = self.prior(latents)
    else:
      prior_mean, prior_deviation = jnp.zeros_like(mean), jnp.ones_like(mean)
    found = None if self.decode_missing_slots else grouping.found
    components, log_masks, reconstruction = self._decode(latents, found)
    return Posterior(
      grouping=grouping,
      embedding=embedding,
      offset=offset,
      mean=mean,
      deviation=deviation,
      latents=latents,
      prior_mean=prior_mean,
      prior_deviation=prior_deviation,
      components=components,
      log_masks=log_masks,
      image=reconstruction,
    )

  def generate(self, count: int, sample: Sample = True, slots: int | None = None) -> Generated:
    """Draws `count` scenes of `slots` components (the model's own number when None).

    `sample` as in `__call__`, with "latent" [count, slots, D].
    """
    slots = self.slots if slots is None else slots
    noise = draw_normal(self, sample, "latent", (count, slots, self.features))
    latents = self.prior.draw(noise) if self.autoregressive_prior else noise
    return self.decode(latents)

  def decode(self, latents: Array) -> Generated:
    """Scenes of these component latents [B, K, D], all slots in use."""
    components, log_masks, image = self._decode(latents, None)
    return Generated(latents, components, log_masks, image)

  def _decode(self, latents: Array, found: Array | None) -> tuple[Array, Array, Array]:
    batch, slots, size = latents.shape
    decoded = self.decoder(latents.reshape(batch * slots, size))
    decoded = decoded.reshape(batch, slots, self.side, self.side, 4)
    components, logits = decoded[..., :3], decoded[..., 3:]
    if self.bounded_pixels:
      components = nn.sigmoid(components)
    if found is not None:
      logits = jnp.where(found[:, :, None, None, None], logits, NO_SLOT)
    log_masks = nn.log_softmax(logits, axis=1)
    return components, log_masks, (jnp.exp(log_masks) * components).sum(1)


@dataclasses.dataclass(frozen=True)
class GenesisV2Task(ElboTask):
  """GENESIS-V2 with its objective (paper equation 7); the papers' pixel deviation is 0.7.

  Attributes:
    mask_kl: adds KL(attention masks || decoded masks), option `klm_loss` of the published code.
    mask_kl_weight: of that term beside the weight that all KL terms have; published: 1. With more,
      decoded masks follow the attention long before latents are worth their KL.
    detach_decoded_masks: the decoded masks get no gradient from that term.
  """

  mask_kl: bool = False
  mask_kl_weight: float = 1.0
  detach_decoded_masks: bool = True

  def objective_terms(self, posterior: Posterior, image: Array) -> dict[str, Array]:
    error = mixture_error(image, posterior.components, posterior.log_masks, self.pixel_deviation)
    terms = {"reconstruction": error, "kl_latent": self.latent_kl(posterior)}
    if self.mask_kl:
      decoded = jnp.exp(posterior.log_masks)
      if self.detach_decoded_masks:
        decoded = lax.stop_gradient(decoded)
      divergence = mask_kl(jnp.exp(posterior.grouping.log_masks), decoded)
      terms["kl_mask"] = self.mask_kl_weight * divergence
    return terms

  def latent_kl(self, posterior: Posterior) -> Array:
    """One-sample KL of each slot's latent to its prior: [B, K], nats."""
    kl = sampled_kl(
      posterior.latents,
      posterior.mean,
      posterior.deviation,
      posterior.prior_mean,
      posterior.prior_deviation,
    )
    counted = self.network.decode_missing_slots | posterior.grouping.found
    return jnp.where(counted, kl, 0.0)

  def scene_of(self, result: Posterior | Generated) -> Scene:
    explained = isinstance(result, Posterior)
    return Scene(
      image=result.image,
      masks=jnp.exp(result.log_masks),
      components=result.components,
      latents=result.mean if explained else result.latents,
      other_masks={"attention": jnp.exp(result.grouping.log_masks)} if explained else {},
    )

  def details(self, params, posterior):
    return {"kernel_width": jnp.exp(params["log_kernel_width"])}


NETWORK_FIELDS = (
  "side",
  "slots",
  "features",
  "norm_groups",
  "kernel",
  "semiconvolutional",
  "encoder_coordinates",
  "own_colours",
  "first_width",
  "first_deviation",
  "autoregressive_prior",
  "bounded_pixels",
  "smallest_segment",
  "decode_missing_slots",
)
TASK_FIELDS = ("pixel_deviation", "mask_kl", "mask_kl_weight", "detach_decoded_masks")


def make_task(config: Mapping, axis_name: str | None = None) -> GenesisV2Task:
  """Builds the task from `config.model`.

  Fields: those of `GenesisV2` and `GenesisV2Task`; `geco` with `use` and, per image value, `goal`
  (nats), `rate` (at 64 x 64 pixels), `decay`, `start`, `minimum`, `speedup`; `unroll` (0 chooses)
  and `dtype` ("float32" or "bfloat16").

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, (*NETWORK_FIELDS, *TASK_FIELDS, "geco", "unroll", "dtype"))
  geco = check_objective(config)
  check_side(config["side"])
  if config["slots"] < 1:
    raise InputError(f"config.model.slots is {config['slots']}: at least 1 is needed")
  width, groups = config["features"], config["norm_groups"]
  if groups < 1 or width not in range(groups, 65, groups):
    raise InputError(
      f"config.model.features is {width}: a multiple of norm_groups {groups}, up to 64, is needed"
    )
  if config["kernel"] not in KERNELS:
    known = ", ".join(KERNELS)
    raise InputError(f"config.model.kernel is {config['kernel']!r}: choose one of {known}")
  _check_starts(config)
  network = GenesisV2(
    **{name: config[name] for name in NETWORK_FIELDS},
    unroll=unroll_length(config["unroll"], config["slots"]),
    dtype=compute_dtype(config["dtype"]),
  )
  return GenesisV2Task(
    network=network,
    **{name: config[name] for name in TASK_FIELDS},
    geco=geco,
    axis_name=axis_name,
  )


def _check_starts(config: Mapping):
  for name in ("own_colours", "first_width", "first_deviation"):
    if config[name] < 0:
      raise InputError(f"config.model.{name} is {config[name]}: 0 or a number above it is needed")
  if config["own_colours"] and not config["semiconvolutional"]:
    raise InputError(
      f"config.model.own_colours is {config['own_colours']}: it needs semiconvolutional = True"
    )
