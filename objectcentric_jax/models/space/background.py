"""Background of SPACE: a mixture of a few components, as in GENESIS.

Mask latents are drawn one after the other and decoded into masks by stick breaking; each component
is encoded from the image under its mask and decoded on its own. With one component the mask is the
whole image and the decoder a stronger one.

Published code: space/bg.py of zhixuan-lin/SPACE.
"""

import math
from functools import partial

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.gaussian import log_normal, normal_kl
from objectcentric_jax.losses.masks import stick_breaking
from objectcentric_jax.nn.activations import elu
from objectcentric_jax.nn.broadcast_decoder import BroadcastDecoder
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample, draw_normal
from objectcentric_jax.nn.normalization import BatchNorm
from objectcentric_jax.nn.recurrent import LSTM, scan_slots
from objectcentric_jax.nn.subpixel import ConvGroupNorm, SubPixelDecoder

Array = jax.Array

MASK_FLOOR = 1e-5  # added before the logarithm of a mask
SMALLEST_DEVIATION = 1e-4
ENCODER_FEATURES = (64, 64, 64, 64)
COMPONENT_ENCODER_FEATURES = (32, 32, 64, 64)
COMPONENT_HIDDEN = 64
BROADCAST_FEATURES, BROADCAST_LAYERS = 32, 4
DECODER_BLOCKS = ((256, 16), (128, 16), (64, 8), (16, 4))  # (channels, groups)
# The order in which the blocks of the decoders get to enlarge by 4 in place of 2.
MASK_ORDER, STRONG_ORDER = (0, 2, 3, 1), (0, 1, 3, 2)
SIDES = (16, 32, 64, 128, 256)


def moments(raw: Array) -> tuple[Array, Array]:
  """Mean and deviation, each [..., D], from raw outputs [..., 2D]."""
  mean, deviation = jnp.split(at_least_float32(raw), 2, axis=-1)
  return mean, nn.softplus(deviation) + SMALLEST_DEVIATION


def decoder_factors(side: int, order: tuple[int, ...]) -> tuple[int, ...]:
  """How much each of the four blocks of a decoder enlarges; at side 128 as published.

  Raises:
    InputError: four blocks cannot reach this side.
  """
  if side not in SIDES:
    known = ", ".join(map(str, SIDES))
    raise InputError(f"config.model.side is {side}: choose one of {known}")
  fourfold = order[: int(math.log2(side)) - 4]
  return tuple(4 if i in fourfold else 2 for i in range(4))


@flax.struct.dataclass
class Latents:
  """Gaussians over the latents of K components, draws and learned priors, each [B, K, D]."""

  mean: Array
  deviation: Array
  value: Array
  prior_mean: Array
  prior_deviation: Array

  def kl(self) -> Array:
    """To the prior, summed over components: [B], nats."""
    prior = self.prior_mean, self.prior_deviation
    return normal_kl(self.mean, self.deviation, *prior).sum(1)


@flax.struct.dataclass
class Background:
  """Everything the background computes.

  Attributes:
    features: [B, F] of the image.
    mask_latents, component_latents: posterior and prior.
    masks: [B, K, H, W, 1] summing to one; components: [B, K, H, W, 3]; image: [B, H, W, 3].
  """

  features: Array
  mask_latents: Latents
  component_latents: Latents
  masks: Array
  components: Array
  image: Array

  def kl(self) -> Array:
    """Of both kinds of latents: [B], nats."""
    return self.mask_latents.kl() + self.component_latents.kl()

  def log_likelihood(self, image: Array, deviation: float) -> Array:
    """Per pixel and channel, [B, H, W, C] in nats."""
    log_masks = jnp.log(self.masks + MASK_FLOOR)
    return nn.logsumexp(log_masks + log_normal(image[:, None], self.components, deviation), axis=1)


class StridedEncoder(nn.Module):
  """Images [M, S, S, C] to [M, outputs]: convolutions of stride 2, batch norm, ELU; linear."""

  features: tuple[int, ...]
  outputs: int
  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    for i, features in enumerate(self.features):
      x = Conv(features, 3, 2, 1, dtype=self.dtype, name=f"conv_{i}")(x)
      norm = BatchNorm(axis_name=self.axis_name, dtype=self.dtype, name=f"norm_{i}")
      x = elu(norm(x))
    return Linear(self.outputs, self.dtype, name="linear")(x.reshape(len(x), -1))


class MaskPosterior(nn.Module):
  """q(z_k | image, z_1 .. z_{k-1}) of mask latents of size D, from image features [B, F]."""

  size: int
  hidden: int
  unroll: int = 1
  dtype: jnp.dtype | None = None

  def setup(self):
    zeros = nn.initializers.zeros
    self.latent = self.param("first_latent", zeros, (self.size,), jnp.float32)
    self.hidden_state = self.param("first_hidden", zeros, (self.hidden,), jnp.float32)
    self.cell_state = self.param("first_cell", zeros, (self.hidden,), jnp.float32)
    self.lstm = LSTM(self.hidden, dtype=self.dtype)
    self.moments = Linear(2 * self.size, self.dtype)

  def __call__(self, features: Array, noise: Array) -> tuple[Array, Array, Array]:
    """Means, deviations and draws with noise [B, K, D], all [B, K, D]."""

    def step(posterior: "MaskPosterior", carry, noise: Array):
      latent, state = carry
      seen = jnp.concatenate([latent.astype(features.dtype), features], axis=-1)
      hidden, state = posterior.lstm(seen[:, None], state)
      mean, deviation = moments(posterior.moments(hidden[:, 0]))
      latent = mean + deviation * noise
      return (latent, state), (mean, deviation, latent)

    scan = scan_slots(step, self.unroll)
    state = (rows(self.hidden_state, features), rows(self.cell_state, features))
    return scan(self, (rows(self.latent, noise), state), noise)[1]


class MaskPrior(nn.Module):
  """p(z_k | z_1 .. z_{k-1}) of mask latents: draws [B, K, D] to moments, each [B, K, D].

  The first depends on nothing, so one component needs no recurrence.
  """

  hidden: int
  unroll: int = 1
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latents: Array) -> tuple[Array, Array]:
    slots, size = latents.shape[1:]
    zeros, shape = nn.initializers.zeros, (self.hidden,)
    first = rows(self.param("first_hidden", zeros, shape, jnp.float32), latents)
    hidden = first[:, None]
    if slots > 1:
      cell = rows(self.param("first_cell", zeros, shape, jnp.float32), latents)
      lstm = LSTM(self.hidden, self.unroll, self.dtype, name="lstm")
      following, _ = lstm(latents[:, :-1], (first, cell))
      hidden = jnp.concatenate([hidden.astype(following.dtype), following], axis=1)
    return moments(Linear(2 * size, self.dtype, name="moments")(hidden))


class ComponentPrior(nn.Module):
  """p(component latent | mask latent), component by component: [..., D] to moments [..., size]."""

  size: int
  hidden: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, mask_latents: Array) -> tuple[Array, Array]:
    x = mask_latents
    for i in range(2):
      x = elu(Linear(self.hidden, self.dtype, name=f"hidden_{i}")(x))
    return moments(Linear(2 * self.size, self.dtype, name="moments")(x))


class ShuffleDecoder(nn.Module):
  """Latents [M, D] to [M, S, S, outputs], not squashed, by pixel shuffles in this order."""

  side: int
  outputs: int
  order: tuple[int, ...]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latent: Array) -> Array:
    features, groups = zip(*DECODER_BLOCKS, strict=True)
    factors = decoder_factors(self.side, self.order)
    x = SubPixelDecoder(256, features, groups, factors, self.dtype, name="body")(latent)
    x = ConvGroupNorm(features[-1], 3, groups[-1], padding=1, dtype=self.dtype, name="last")(x)
    return Conv(self.outputs, 3, padding=1, dtype=self.dtype, name="output")(x)


def rows(vector: Array, like: Array) -> Array:
  """The vector [D] for every row of `like` and in its type: [B, D]."""
  return jnp.broadcast_to(vector.astype(like.dtype)[None], (len(like), len(vector)))


class BackgroundNetwork(nn.Module):
  """Explains what is not an object.

  Draws that can be handed in: "mask_latent" [B, K, mask_latents] and "component_latent" [B, K,
  component_latents], standard normal.

  Attributes:
    side: S of square images, one of SIDES.
    slots: K.
    features: of the whole image.
    mask_latents, component_latents: sizes of a component's latents.
    hidden: units of the recurrences over components.
    prior_hidden: units of the component prior.
    unroll: loop steps over components to unroll.
    dtype: of the computation; None follows inputs and parameters.
    axis_name: device axis over which batch statistics are taken, under pmap.
  """

  side: int
  slots: int
  features: int = 64
  mask_latents: int = 32
  component_latents: int = 32
  hidden: int = 64
  prior_hidden: int = 64
  unroll: int = 1
  dtype: jnp.dtype | None = None
  axis_name: str | None = None

  def setup(self):
    dtype, side = self.dtype, self.side
    encoder = partial(StridedEncoder, axis_name=self.axis_name, dtype=dtype)
    self.encoder = encoder(ENCODER_FEATURES, self.features)
    self.mask_posterior = MaskPosterior(self.mask_latents, self.hidden, self.unroll, dtype)
    self.mask_prior = MaskPrior(self.hidden, self.unroll, dtype)
    self.component_encoder = encoder(COMPONENT_ENCODER_FEATURES, 2 * self.component_latents)
    self.component_prior = ComponentPrior(self.component_latents, self.prior_hidden, dtype)
    if self.slots == 1:
      self.component_decoder = ShuffleDecoder(side, 3, STRONG_ORDER, dtype)
    else:
      self.mask_decoder = ShuffleDecoder(side, 1, MASK_ORDER, dtype)
      norm = partial(BatchNorm, axis_name=self.axis_name, dtype=dtype)
      self.component_decoder = BroadcastDecoder(
        side, 3, BROADCAST_FEATURES, BROADCAST_LAYERS, dtype=dtype, norm=norm
      )

  def __call__(self, image: Array, sample: Sample = True) -> Background:
    """Explains images [B, S, S, 3] in [0, 1]; `sample` as in `objectcentric_jax.nn.noise`."""
    features = elu(self.encoder(image))
    dtype = jnp.promote_types(image.dtype, jnp.float32)
    shape = (len(image), self.slots, self.mask_latents)
    noise = draw_normal(self, sample, "mask_latent", shape, dtype)
    posterior = self.mask_posterior(features, noise)
    mask_latents = Latents(*posterior, *self.mask_prior(posterior[-1]))
    masks = self._masks(mask_latents.value)
    component_latents = self._components(image, masks, mask_latents.value, sample)
    decoded = self.component_decoder(component_latents.value.reshape(-1, self.component_latents))
    components = nn.sigmoid(at_least_float32(decoded)).reshape(*masks.shape[:-1], 3)
    return Background(
      features=features,
      mask_latents=mask_latents,
      component_latents=component_latents,
      masks=masks,
      components=components,
      image=(masks * components).sum(1),
    )

  def _masks(self, latents: Array) -> Array:
    shape = (*latents.shape[:2], self.side, self.side, 1)
    if self.slots == 1:
      return jnp.ones(shape, latents.dtype)
    logits = at_least_float32(self.mask_decoder(latents.reshape(-1, self.mask_latents)))
    return jnp.exp(stick_breaking(logits.reshape(shape))[0])

  def _components(self, image: Array, masks: Array, mask_latents: Array, sample: Sample) -> Latents:
    images = jnp.broadcast_to(image[:, None], (*masks.shape[:-1], image.shape[-1]))
    seen = jnp.concatenate([jnp.log(masks + MASK_FLOOR), images], axis=-1)
    raw = self.component_encoder(seen.reshape(-1, *seen.shape[2:]))
    mean, deviation = moments(raw.reshape(*masks.shape[:2], -1))
    noise = draw_normal(self, sample, "component_latent", mean.shape, mean.dtype)
    prior = self.component_prior(mask_latents)
    return Latents(mean, deviation, mean + deviation * noise, *prior)
