"""Objects of SCALOR: what is kept of each from frame to frame, how they look and are drawn.

Published code: module.py, propagation.py and scalor.py of JindongJiang/SCALOR.
"""

import dataclasses

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.scalor.frame_encoder import LARGE
from objectcentric_jax.models.scalor.layers import Head, Layer, Stack
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.glimpses import paste
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32

Array = jax.Array

# Layers that shrink glimpses of each side to one pixel, and that make them from one.
ENCODERS = {
  16: (Layer(16, 4, 4, 2, 1), Layer(32, 4, 8, 2, 1), Layer(64, 3, 8, 1, 1)),
  32: (
    *(Layer(16, 4, 4, 2, 1), Layer(32, 4, 8, 2, 1), Layer(64, 4, 8, 2, 1)),
    Layer(64, 3, 8, 1, 1),
  ),
  64: (
    *(Layer(16, 4, 4, 2, 1), Layer(32, 4, 8, 2, 1), Layer(64, 4, 8, 2, 1)),
    Layer(128, 4, 16, 2, 1),
  ),
}
_START = (Layer(128, 1, 16), Layer(64, 1, 8, factor=4))
_LAST = Layer(16, 1, 4, factor=2)
DECODERS = {
  16: (*_START, Layer(32, 1, 8, factor=2), _LAST, Layer(16, 3, 4, 1, 1)),
  32: (
    *_START,
    *(Layer(64, 1, 8, factor=2), Layer(32, 1, 8, factor=2), _LAST, Layer(16, 3, 4, 1, 1)),
  ),
  64: (
    *_START,
    *(Layer(64, 3, 8, 1, 1), Layer(64, 1, 8, factor=4), Layer(64, 3, 8, 1, 1)),
    *(Layer(32, 1, 8, factor=2), Layer(32, 3, 8, 1, 1), _LAST),
  ),
}
EMPTY = 1e-15  # keeps the shares of objects finite where there is none


@dataclasses.dataclass(frozen=True)
class Anchors:
  """Sizes that objects may have: a scale as a share of the picture, and height over width.

  Both are a middle plus or minus at most a range.
  """

  scale: float
  scale_range: float
  ratio: float
  ratio_range: float

  def __post_init__(self):
    for name in ("scale", "ratio"):
      middle, spread = getattr(self, name), getattr(self, f"{name}_range")
      if not 0 <= spread < middle:
        raise InputError(
          f"config.model.anchors: {name} is {middle} and {name}_range {spread}: sizes stay above 0 "
          f"only with {name} above {name}_range"
        )

  def sizes(self, raw: Array) -> Array:
    """Width and height of boxes [..., 2] from raw scale and ratio [..., 2]."""
    scale, ratio = jnp.split(tanh(raw), 2, axis=-1)
    scale = self.scale + self.scale_range * scale
    root = jnp.sqrt(self.ratio + self.ratio_range * ratio)
    return jnp.concatenate([scale / root, scale * root], axis=-1)


@flax.struct.dataclass
class Objects:
  """Objects of one frame in N slots; a slot without an object is zero everywhere.

  Attributes:
    what: [B, N, D] what an object looks like.
    box: [B, N, 4] as in `objectcentric_jax.nn.glimpses`.
    motion: [B, N, 4] from which the box followed; zero when the object was discovered.
    depth: [B, N, 1]; small is near.
    presence: [B, N, 1] in [0, 1].
    hidden: [B, N, H] of the recurrence that tracks the object.
    prior_hidden, prior_cell: [B, N, P] of the recurrence that expects it.
    absence: [B, N, 1] sum of 1 - presence since the object was discovered.
    identity: [B, N] int32, 1 and up.
  """

  what: Array
  box: Array
  motion: Array
  depth: Array
  presence: Array
  hidden: Array
  prior_hidden: Array
  prior_cell: Array
  absence: Array
  identity: Array

  @property
  def exists(self) -> Array:
    """[B, N] bool."""
    return self.presence[..., 0] > 0


def no_objects(batch: int, slots: int, what: int, hidden: int, prior: int, dtype) -> Objects:
  """Empty slots, for latents and recurrences of these sizes."""
  empty = lambda size: jnp.zeros((batch, slots, size), dtype)  # noqa: E731
  return Objects(
    what=empty(what),
    box=empty(4),
    motion=empty(4),
    depth=empty(1),
    presence=empty(1),
    hidden=empty(hidden),
    prior_hidden=empty(prior),
    prior_cell=empty(prior),
    absence=empty(1),
    identity=jnp.zeros((batch, slots), jnp.int32),
  )


def concatenate(first: Objects, second: Objects) -> Objects:
  """The slots of both, [B, N + M, ...]."""
  return jax.tree.map(lambda a, b: jnp.concatenate([a, b.astype(a.dtype)], axis=1), first, second)


def compaction(kept: Array, slots: int) -> tuple[Array, Array]:
  """Where the kept candidates go: to the first slots, in their order.

  Args:
    kept: [B, N] bool.
    slots: K; of more kept candidates the first K are taken.

  Returns:
    Positions [B, K] among the candidates, and which of them are filled, [B, K] bool.
  """
  order = jnp.argsort(~kept, axis=1, stable=True)[:, :slots]
  return order, jnp.take_along_axis(kept, order, axis=1)


def take(tree, order: Array, filled: Array):
  """Rows [B, N, ...] to slots [B, K, ...], zero where not filled; see `compaction`."""

  def rows(values):
    shape = (*order.shape, *(1,) * (values.ndim - 2))
    taken = jnp.take_along_axis(values, order.reshape(shape), axis=1)
    return jnp.where(filled.reshape(shape), taken, jnp.zeros_like(taken))

  return jax.tree.map(rows, tree)


class GlimpseEncoder(nn.Module):
  """Glimpses [N, g, g, 3] to raw means and deviations, each [N, latents]."""

  side: int
  latents: int
  features: int = 128
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, glimpses: Array) -> tuple[Array, Array]:
    layers = (*ENCODERS[self.side], Layer(self.features, 4, 16))
    x = Stack(layers, self.dtype, name="stack")(glimpses)
    raw = Linear(2 * self.latents, self.dtype, name="moments")(x[:, 0, 0])
    mean, deviation = jnp.split(at_least_float32(raw), 2, axis=-1)
    return mean, deviation


class GlimpseDecoder(nn.Module):
  """Latents [N, D] to colours [N, g, g, 3] and alphas [N, g, g, 1], both in [0, 1].

  The published heads are deeper for frames from `LARGE` pixels on.
  """

  side: int
  frame_side: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, latents: Array) -> tuple[Array, Array]:
    x = Stack(DECODERS[self.side], self.dtype, name="stack")(latents[:, None, None])
    layers = (Layer(8, 3, 4, 1, 1),) if self.frame_side >= LARGE else ()
    colour = Head(3, 3, layers, self.dtype, name="colour")(x)
    alpha = Head(1, 3, layers, self.dtype, name="alpha")(x)
    return nn.sigmoid(at_least_float32(colour)), nn.sigmoid(at_least_float32(alpha))


@flax.struct.dataclass
class Canvases:
  """Objects drawn on a frame each, [B, N, S, S, ...].

  Attributes:
    colours: [..., 3] over black, times alpha.
    alphas: [..., 1] times presence.
    importance: [..., 1] how strongly the object claims a pixel; near ones claim more.
  """

  colours: Array
  alphas: Array
  importance: Array


def draw(
  colours: Array, alphas: Array, presence: Array, depth: Array, box: Array, side: int
) -> Canvases:
  """Draws the decoded objects.

  Args:
    colours, alphas: [B, N, g, g, 3] and [B, N, g, g, 1].
    presence, depth: [B, N, 1].
    box: [B, N, 4].
    side: S of the frames.
  """
  alphas = alphas * presence[..., None, None]
  importance = alphas * nn.sigmoid(-depth)[..., None, None]
  layers = jnp.concatenate([alphas * colours, alphas, importance], axis=-1)
  pasted = paste(layers, box, side, side)
  return Canvases(pasted[..., :3], pasted[..., 3:4], pasted[..., 4:])
