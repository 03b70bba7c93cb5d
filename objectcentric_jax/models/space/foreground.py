"""Foreground of SPACE: a grid of cells, each of which may explain one object.

Every cell says whether it holds an object, where, how near and, from a glimpse of the image under
its box, what. All objects are decoded at once and pasted; at each pixel the nearest is in front.

Published code: space/fg.py of zhixuan-lin/SPACE.
"""

import math

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.bernoulli import bernoulli_kl
from objectcentric_jax.nn.cells import cell_centres, presence_logits
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.gaussian import Gaussian, draw_gaussian
from objectcentric_jax.nn.glimpses import cut, paste, paste_sum
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample, draw_logistic
from objectcentric_jax.nn.relaxed_bernoulli import relaxed_bernoulli
from objectcentric_jax.nn.subpixel import ConvGroupNorm, SubPixelDecoder

Array = jax.Array

IMPORTANCE = 100.0  # makes the nearest object hide the others almost completely
# A frame at the rim of a box that objects should keep clear, and what it weighs.
BOUNDARY_SIDE, BOUNDARY_WIDTH = 32, 6
BOUNDARY_WEIGHT = 1000.0
HEAD_FEATURES = 128  # of the volume from which presence and position are read
GLIMPSE_BLOCKS = ((128, 16), (128, 16), (64, 8), (32, 8), (16, 4))  # (channels, groups) of the last


@flax.struct.dataclass
class Foreground:
  """Everything the foreground computes; N = G^2 cells, row by row, g the side of a glimpse.

  Attributes:
    features: [B, G, G, 128].
    presence_logits, presence: [B, N, 1], the latter a relaxed draw in (0, 1).
    depth: [B, N, 1]; small is near.
    scale, shift: [B, N, 2] before they are squashed, x first.
    boxes: [B, N, 4] as in `objectcentric_jax.nn.glimpses`.
    glimpses: [B, N, g, g, 3] of the image.
    what: [B, N, D].
    colours: [B, N, g, g, 3] and alphas [B, N, g, g, 1] of the decoded objects, in [0, 1].
    visible_alphas: alphas times presence.
    weights: [B, N, H, W, 1] which object is in front; sums to one over cells.
    masks: [B, N, H, W, 1] share of every object in the image; sums to `alpha` over cells.
    image: [B, H, W, 3] the objects over black; alpha: [B, H, W, 1].
    boundary: [B, H, W, 1] where the rims of boxes that are present lie.
  """

  features: Array
  presence_logits: Array
  presence: Array
  depth: Gaussian
  scale: Gaussian
  shift: Gaussian
  boxes: Array
  glimpses: Array
  what: Gaussian
  colours: Array
  alphas: Array
  visible_alphas: Array
  weights: Array
  masks: Array
  image: Array
  alpha: Array
  boundary: Array

  @property
  def probability(self) -> Array:
    """Of an object in each cell: [B, N, 1]."""
    return nn.sigmoid(self.presence_logits)

  def divergences(
    self, presence_prior: Array, scale_mean: Array, scale_deviation: float
  ) -> dict[str, Array]:
    """KL of each kind of latent to its prior, all cells counted in full: name -> [B], nats."""
    presence = bernoulli_kl(self.probability, presence_prior)
    return {
      "kl_presence": presence.sum((1, 2)),
      "kl_scale": self.scale.kl(scale_mean, scale_deviation).sum(1),
      "kl_shift": self.shift.kl().sum(1),
      "kl_depth": self.depth.kl().sum(1),
      "kl_what": self.what.kl().sum(1),
    }


def grid_strides(side: int, grid: int) -> tuple[int, int]:
  """Strides of the last two of the five reducing convolutions, the first three of which are 2.

  Raises:
    InputError: no strides lead from this side to this grid.
  """
  strides = {8: (1, 1), 16: (1, 2), 32: (2, 2)}
  if grid < 1 or side % grid or side // grid not in strides:
    possible = " or ".join(str(side // cell) for cell in sorted(strides, reverse=True))
    raise InputError(f"config.model.grid is {grid}: images of side {side} need {possible}")
  return strides[side // grid]


class GridEncoder(nn.Module):
  """Images [B, S, S, 3] to a volume [B, G, G, 128] with a feature vector for every cell."""

  side: int
  grid: int
  features: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, image: Array) -> Array:
    dtype = self.dtype
    x = image
    for i, (features, groups) in enumerate(((16, 4), (32, 8), (64, 8))):
      x = ConvGroupNorm(features, 4, groups, 2, 1, dtype=dtype, name=f"reduce_{i}")(x)
    strides = grid_strides(self.side, self.grid)
    for i, (features, groups, stride) in enumerate(zip((128, 256), (16, 32), strides, strict=True)):
      x = ConvGroupNorm(features, 3, groups, stride, 1, dtype=dtype, name=f"reduce_{3 + i}")(x)
    x = ConvGroupNorm(self.features, 1, 16, dtype=dtype, name="narrow")(x)
    lateral = x
    for i in range(2):
      lateral = ConvGroupNorm(self.features, 3, 16, padding=1, dtype=dtype, name=f"lateral_{i}")(
        lateral
      )
    joined = jnp.concatenate([x, lateral], axis=-1)
    return ConvGroupNorm(HEAD_FEATURES, 3, 16, padding=1, dtype=dtype, name="join")(joined)


class GlimpseEncoder(nn.Module):
  """Glimpses [M, g, g, 3] to raw moments [M, 2 * latents]."""

  latents: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    layers = ((16, 3, 4, 1), (32, 4, 8, 2), (32, 3, 4, 1), (64, 4, 8, 2), (128, 4, 8, 2))
    for i, (features, size, groups, stride) in enumerate(layers):
      x = ConvGroupNorm(features, size, groups, stride, 1, dtype=self.dtype, name=f"conv_{i}")(x)
    x = ConvGroupNorm(256, x.shape[1], 16, dtype=self.dtype, name="flatten")(x)
    return Linear(2 * self.latents, self.dtype, name="moments")(x[:, 0, 0])


class GlimpseDecoder(nn.Module):
  """Latents [M, D] to colours [M, g, g, 3] and alphas [M, g, g, 1], both in [0, 1]."""

  side: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latent: Array) -> tuple[Array, Array]:
    blocks = GLIMPSE_BLOCKS[-int(math.log2(self.side)) :]
    features, groups = zip(*blocks, strict=True)
    factors = (2,) * len(blocks)
    x = SubPixelDecoder(256, features, groups, factors, self.dtype, name="body")(latent)
    heads = (("colour", 3), ("alpha", 1))
    raw = (Conv(size, 3, padding=1, dtype=self.dtype, name=name)(x) for name, size in heads)
    colour, alpha = (nn.sigmoid(at_least_float32(value)) for value in raw)
    return colour, alpha


class ForegroundNetwork(nn.Module):
  """Explains the objects of images.

  Draws that can be handed in: "presence" [B, N, 1], standard logistic; "depth" [B, N, 1], "scale"
  and "shift" [B, N, 2], "what" [B, N, D], standard normal.

  Attributes:
    side: S of square images; grid: G.
    glimpse: side of glimpses: 8, 16 or, as published, 32.
    features: of the encoder's narrowest layers.
    latents: D, of what an object looks like.
    rematerialise: computes the pasted objects again for the gradient in place of keeping them.
    dtype: of the computation; None follows inputs and parameters.
  """

  side: int
  grid: int
  glimpse: int = 32
  features: int = 128
  latents: int = 32
  rematerialise: bool = False
  dtype: jnp.dtype | None = None

  def setup(self):
    dtype = self.dtype
    self.encoder = GridEncoder(self.side, self.grid, self.features, dtype)
    self.presence_head = Conv(1, 1, dtype=dtype)
    self.depth_head, self.scale_head, self.shift_head = (
      Conv(2 * n, 1, dtype=dtype) for n in (1, 2, 2)
    )
    self.glimpse_encoder = GlimpseEncoder(self.latents, dtype)
    self.glimpse_decoder = GlimpseDecoder(self.glimpse, dtype)

  def __call__(
    self, image: Array, temperature: Array, fixed_presence: Array, sample: Sample = True
  ) -> Foreground:
    """Explains images [B, S, S, 3] in [0, 1].

    Args:
      image: the images.
      temperature: of the relaxed presence.
      fixed_presence: drawn in place of the relaxed presence of every cell; negative: as inferred.
      sample: as in `objectcentric_jax.nn.noise`.
    """
    features = self.encoder(image)

    def cells(head):
      return at_least_float32(head(features)).reshape(len(image), self.grid**2, -1)

    logits = presence_logits(cells(self.presence_head))
    noise = draw_logistic(self, sample, "presence", logits.shape, logits.dtype)
    inferred = relaxed_bernoulli(logits, temperature, noise)
    fixed = jnp.asarray(fixed_presence, inferred.dtype)
    presence = jnp.where(fixed < 0, inferred, fixed)
    depth = self._draw(cells(self.depth_head), sample, "depth")
    scale = self._draw(cells(self.scale_head), sample, "scale", smallest=1e-15)
    shift = self._draw(cells(self.shift_head), sample, "shift")
    boxes = self._boxes(scale.value, shift.value)
    glimpses = cut(at_least_float32(image), boxes, self.glimpse)
    flat = glimpses.reshape(-1, *glimpses.shape[2:])
    moments = at_least_float32(self.glimpse_encoder(flat)).reshape(*boxes.shape[:2], -1)
    what = self._draw(moments, sample, "what")
    decoded = self.glimpse_decoder(what.value.reshape(-1, self.latents))
    colours, alphas = (x.reshape(*boxes.shape[:2], *x.shape[1:]) for x in decoded)
    visible_alphas = alphas * presence[..., None, None]
    render = jax.checkpoint(self._render) if self.rematerialise else self._render
    weights, masks, objects, alpha, boundary = render(
      colours, visible_alphas, depth.value, presence, boxes
    )
    return Foreground(
      features=features,
      presence_logits=logits,
      presence=presence,
      depth=depth,
      scale=scale,
      shift=shift,
      boxes=boxes,
      glimpses=glimpses,
      what=what,
      colours=colours,
      alphas=alphas,
      visible_alphas=visible_alphas,
      weights=weights,
      masks=masks,
      image=objects,
      alpha=alpha,
      boundary=boundary,
    )

  def _draw(self, raw: Array, sample: Sample, name: str, smallest: float = 0.0) -> Gaussian:
    mean, raw_deviation = jnp.split(raw, 2, axis=-1)
    deviation = nn.softplus(raw_deviation) + smallest
    return draw_gaussian(self, sample, name, mean, deviation)

  def _boxes(self, scale: Array, shift: Array) -> Array:
    """A box may be of any size; its centre stays within one cell of that of its own cell."""
    centre = cell_centres(shift, self.grid)
    return jnp.concatenate([nn.sigmoid(scale), centre], axis=-1)

  def _render(self, colours, alphas, depth, presence, boxes) -> tuple[Array, ...]:
    """Weights, masks, image, alpha and boundary of `Foreground`.

    A cell that does not cover a pixel has importance 0 there, so it keeps some weight; published
    checkpoints are trained so.
    """
    size = (self.side, self.side)
    importance = IMPORTANCE * alphas * nn.sigmoid(-depth)[..., None, None]
    pasted = paste(jnp.concatenate([importance, alphas, alphas * colours], -1), boxes, *size)
    weights = nn.softmax(pasted[..., :1], axis=1)
    weighted = weights * pasted[..., 1:]
    summed = weighted.sum(1)
    frame = jnp.asarray(boundary_frame(), presence.dtype)
    boundary = paste_sum(presence[..., None, None] * frame[None, None], boxes, *size)
    masks = weighted[..., :1]
    return weights, masks, summed[..., 1:], summed[..., :1], BOUNDARY_WEIGHT * boundary


def boundary_frame() -> np.ndarray:
  """[s, s, 1] with s = BOUNDARY_SIDE: 1 / s^2 in the frame, 0 inside; the same for all glimpses."""
  frame = np.full((BOUNDARY_SIDE, BOUNDARY_SIDE, 1), 1 / BOUNDARY_SIDE**2)
  inside = slice(BOUNDARY_WIDTH, BOUNDARY_SIDE - BOUNDARY_WIDTH)
  frame[inside, inside] = 0
  return frame
