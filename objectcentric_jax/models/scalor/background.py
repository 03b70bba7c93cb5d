"""Background of SCALOR: one latent a frame, with a recurrent prior.

Published code: module.py and scalor.py of JindongJiang/SCALOR.
"""

import math

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.models.scalor.frame_encoder import LARGE
from objectcentric_jax.models.scalor.layers import Conv, Head, Layer, Stack
from objectcentric_jax.nn.coordinates import broadcast
from objectcentric_jax.nn.gaussian import Gaussian
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample, draw_normal
from objectcentric_jax.nn.recurrent import GRUCell

Array = jax.Array

KINDS = ("inferred", "fixed", "none")
DECODERS = ("shuffle", "broadcast")
# From one pixel to frames of these sides; 64 and 128 are published.
_LAST = (Layer(64, 3, 8, 1, 1), Layer(16, 1, 4, factor=4), Layer(16, 3, 4, 1, 1))
_SMALL = (Layer(256, 1, 16), Layer(128, 1, 16, factor=4), Layer(128, 3, 16, 1, 1))
_LARGE = (
  *(Layer(256, 1, 16), Layer(256, 1, 16, factor=4), Layer(256, 3, 16, 1, 1)),
  *(Layer(128, 1, 16, factor=4), Layer(128, 3, 16, 1, 1)),
)
SHUFFLES = {
  32: (*_SMALL, Layer(64, 1, 8, factor=2), *_LAST),
  64: (*_SMALL, Layer(64, 1, 8, factor=4), *_LAST),
  128: (*_LARGE, Layer(64, 1, 8, factor=2), *_LAST),
  256: (*_LARGE, Layer(64, 1, 8, factor=4), *_LAST),
}


@flax.struct.dataclass
class BackgroundState:
  """Before a frame: latent of the one before [B, D], and hidden state of its prior [B, H]."""

  latent: Array
  hidden: Array


@flax.struct.dataclass
class Background:
  """Of one frame: image [B, S, S, 3]; posterior, prior_mean, prior_deviation, each [B, D]."""

  image: Array
  posterior: Gaussian
  prior_mean: Array
  prior_deviation: Array


class BackgroundEncoder(nn.Module):
  """Frames and what objects leave of them [B, S, S, 4] to raw moments [B, outputs]."""

  outputs: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    halvings = int(math.log2(x.shape[1])) - 2
    widths = ((16, 4), (32, 8), *((64, 8),) * halvings)[:halvings]
    layers = tuple(Layer(width, 4, groups, 2, 1) for width, groups in widths)
    x = Stack(layers, self.dtype, name="stack")(x)
    return Conv(self.outputs, 4, dtype=self.dtype, name="moments")(x)[:, 0, 0]


class BackgroundDecoder(nn.Module):
  """Latents [B, D] to pictures [B, S, S, 3] in [0, 1].

  `kind` "shuffle" enlarges one pixel. "broadcast" tiles the latent over the frame beside
  coordinates, which makes a weaker decoder: it cannot paint objects.
  """

  side: int
  kind: str = "shuffle"
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latent: Array) -> Array:
    if self.kind == "broadcast":
      x = broadcast(latent, self.side, self.side)
      layers = (Layer(64, 5, 8, 1, 2),) * (3 if self.side >= LARGE else 2)
      head = Head(3, 3, (), self.dtype, name="colour")
    else:
      x, layers = latent[:, None, None], SHUFFLES[self.side]
      head = Head(3, 3, (Layer(16, 3, 4, 1, 1),), self.dtype, name="colour")
    x = Stack(layers, self.dtype, name="stack")(x)
    return nn.sigmoid(at_least_float32(head(x)))


class BackgroundNetwork(nn.Module):
  """Infers the background from what the objects leave of a frame.

  Draws that can be handed in: "background" [B, latents], standard normal.

  Attributes:
    side: S of the frames.
    latents: D.
    hidden: units of the recurrent prior.
    kind: one of KINDS; a "fixed" background is decoded from a latent that is given, as in the
      background analysis of the MOTSynth extension; "none" is black.
    decoder: one of DECODERS.
    dtype: of the computation; None follows inputs and parameters.
  """

  side: int
  latents: int
  hidden: int = 32
  kind: str = "inferred"
  decoder: str = "shuffle"
  dtype: jnp.dtype | None = None

  def setup(self):
    if self.kind != "none":
      self.decode = BackgroundDecoder(self.side, self.decoder, self.dtype)
    if self.kind == "inferred":
      self.encoder = BackgroundEncoder(2 * self.latents, self.dtype)
      self.prior_cell = GRUCell(self.hidden, self.dtype)
      self.prior_moments = Linear(2 * self.latents, self.dtype)

  @nn.nowrap
  def start(self, batch: int, dtype: jnp.dtype) -> BackgroundState:
    """The state before the first frame."""
    return BackgroundState(
      jnp.zeros((batch, self.latents), dtype), jnp.zeros((batch, self.hidden), dtype)
    )

  def __call__(
    self,
    frame: Array,
    alpha: Array,
    state: BackgroundState,
    started: Array,
    fixed: Array | None,
    generate: Array | bool = False,
    sample: Sample = True,
  ) -> tuple[Background, BackgroundState]:
    """The background of a frame, and the state after it.

    Args:
      frame: [B, S, S, 3].
      alpha: [B, S, S, 1] what the objects cover.
      state: after the frame before.
      started: [B] bool, whether there was one.
      fixed: [B, D] the latent of a fixed background.
      generate: bool scalar, whether to draw from the prior.
      sample: as in `objectcentric_jax.nn.noise`.
    """
    if self.kind != "inferred":
      return self._given(frame, state, fixed), state
    mean, deviation, hidden = self._expected(state, started)
    raw = self.encoder(jnp.concatenate([frame, (1 - alpha).astype(frame.dtype)], axis=-1))
    inferred = _moments(raw)
    shape, dtype = inferred[0].shape, inferred[0].dtype
    noise = draw_normal(self, sample, "background", shape, dtype)
    used = jax.tree.map(lambda p, q: jnp.where(generate, p, q), (mean, deviation), inferred)
    latent = used[0] + used[1] * noise
    # The posterior's moments stay what the encoder said; only the draw is the prior's.
    posterior = Gaussian(*inferred, latent)
    after = BackgroundState(latent.astype(state.latent.dtype), hidden.astype(state.hidden.dtype))
    return Background(self.decode(latent), posterior, mean, deviation), after

  def _expected(self, state: BackgroundState, started: Array) -> tuple[Array, Array, Array]:
    """Moments of the prior and its hidden state: standard normal in the first frame."""
    hidden = self.prior_cell(state.latent, state.hidden)
    change, deviation = _moments(self.prior_moments(hidden))
    started = started[:, None]
    mean = jnp.where(started, state.latent + change, jnp.zeros_like(change))
    deviation = jnp.where(started, deviation, jnp.ones_like(deviation))
    return mean, deviation, jnp.where(started, hidden, state.hidden.astype(hidden.dtype))

  def _given(self, frame: Array, state: BackgroundState, fixed: Array | None) -> Background:
    """Without inference: posterior and prior are the same."""
    zeros, ones = jnp.zeros_like(state.latent), jnp.ones_like(state.latent)
    if self.kind == "none":
      return Background(jnp.zeros_like(frame), Gaussian(zeros, ones, zeros), zeros, ones)
    fixed = fixed.astype(state.latent.dtype)
    return Background(self.decode(fixed), Gaussian(fixed, ones, fixed), fixed, ones)


def _moments(raw: Array) -> tuple[Array, Array]:
  mean, deviation = jnp.split(at_least_float32(raw), 2, axis=-1)
  return mean, nn.softplus(deviation)
