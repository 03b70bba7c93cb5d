"""Background of Loci-Segmented: what a frame looks like without its objects, and where they are.

An uncertainty network marks what is no background. Patches without any of that become tokens; their
colours and one code for the depth of the whole scene are decoded for a target frame, which may be
another one of the same video, by an affine motion. Published code: nn/background.py of
CognitiveModeling/Loci-Segmented. h = H / 16, C is 3, or 4 with depth.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import check_fields, check_positive
from objectcentric_jax.models.loci.decoders import PATCH
from objectcentric_jax.nn.attention import AttentionLayers, AttentionSum
from objectcentric_jax.nn.binarize import Binarize
from objectcentric_jax.nn.colour import rgb_to_ycbcr
from objectcentric_jax.nn.convnext import ConvNeXtBlock, ConvNeXtBlocks, ConvNeXtUnet
from objectcentric_jax.nn.coordinates import coordinates
from objectcentric_jax.nn.gradients import scale_gradient
from objectcentric_jax.nn.linear import Bottleneck, Linear, Mlp
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample
from objectcentric_jax.nn.patches import (
  PatchEmbedding,
  PatchReconstruction,
  largest_in_patches,
  match_width,
)

Array = jax.Array

DEPTH_GRADIENT = 0.1  # share of the gradient that colours send into the depth
AFFINE = 6  # entries of a motion: two rows of a matrix that moves places


@flax.struct.dataclass
class BackgroundView:
  """The background as a target frame would show it.

  Attributes:
    rgb: [B, H, W, 3] in (0, 1).
    depth: [B, H, W, 1].
    motion: [B, 6] from target to source, beyond the identity.
    context: [B, D] code of the scene's depth.
  """

  rgb: Array
  depth: Array
  motion: Array
  context: Array


def tokens(x: Array) -> Array:
  """[B, h, w, C] to [B, h w, C]."""
  return x.reshape(len(x), -1, x.shape[-1])


def places(height: int, width: int, dtype) -> Array:
  """x and y of the patches, corners at -1 and 1: [height width, 2]."""
  return coordinates(height, width, dtype)[..., ::-1].reshape(-1, 2)


def moved_places(motion: Array, height: int, width: int) -> Array:
  """x and y that patches look at, borders at -1 and 1: motions [B, 6] to [B, height, width, 2]."""
  x = (2 * jnp.arange(width, dtype=motion.dtype) + 1) / width - 1
  y = (2 * jnp.arange(height, dtype=motion.dtype) + 1) / height - 1
  grid = jnp.stack(jnp.meshgrid(x, y), axis=-1)
  grid = jnp.concatenate([grid, jnp.ones_like(grid[..., :1])], axis=-1)
  matrix = jnp.eye(2, 3, dtype=motion.dtype)[None] + motion.reshape(-1, 2, 3)
  return jnp.einsum("hwc,bdc->bhwd", grid, matrix, precision=jax.lax.Precision.HIGHEST)


class ContextEncoding(nn.Module):
  """Tokens [B, N, C] to one code [B, features]; binary where `binarize` is set."""

  features: int
  binarize: bool
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, training: bool, sample: Sample) -> Array:
    size, dtype = self.features, self.dtype
    x = match_width(x, size) + Bottleneck(4 * size, size, dtype=dtype, name="expand")(x)
    x = AttentionSum(dtype=dtype, name="sum")(x)
    x = x + Mlp((4 * size, size), dtype=dtype, name="process")(x)
    return Binarize(training)(x, sample) if self.binarize else x


class CertainPatches(nn.Module):
  """Pictures [B, H, W, C] to tokens [B, h w, F]; those of uncertain patches are zero."""

  features: int
  threshold: float
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, picture: Array, uncertainty: Array) -> Array:
    is_certain = largest_in_patches(uncertainty, PATCH) < self.threshold
    embedding = PatchEmbedding(self.features, PATCH, dtype=self.dtype, name="embedding")(picture)
    height, width, wide = *embedding.shape[1:3], 2 * self.features
    network = Mlp((wide, wide, wide, self.features), dtype=self.dtype, name="place")
    x = tokens(embedding) + network(places(height, width, picture.dtype))[None]
    return x * tokens(is_certain).astype(x.dtype)


class MotionEncoder(nn.Module):
  """Motion between the certain pixels of source and target: two pictures to [B, 6]."""

  features: int
  context: int
  layers: int
  threshold: float
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(
    self, source: Array, target: Array, source_uncertainty: Array, target_uncertainty: Array
  ) -> Array:
    embed = PatchEmbedding(self.features, PATCH, dtype=self.dtype, name="embedding")
    height, width = source.shape[1] // PATCH, source.shape[2] // PATCH
    wide, grid = 2 * self.features, places(height, width, source.dtype)
    pictures = {
      "source": source * (source_uncertainty < self.threshold).astype(source.dtype),
      "target": target * (target_uncertainty < self.threshold).astype(target.dtype),
    }
    parts = []
    for name, picture in pictures.items():
      network = Mlp((wide, wide, wide, self.features), dtype=self.dtype, name=f"{name}_place")
      parts.append(tokens(embed(picture)) + network(grid)[None])
    x = AttentionLayers(self.layers, self.dtype, name="layers")(jnp.concatenate(parts, axis=1))
    encoding = ContextEncoding(self.context, False, self.dtype, name="context")
    return Linear(AFFINE, dtype=self.dtype, name="motion")(encoding(x, False, False))


class DepthOfContext(nn.Module):
  """Features [B, h, w, C] of scene and motion to depth [B, H, W, 1]."""

  features: int
  layers: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    x = ConvNeXtBlock(self.features, dtype=self.dtype, name="narrow")(x)
    x = ConvNeXtBlocks(self.layers - 1, dtype=self.dtype, name="blocks")(x)
    return PatchReconstruction(1, PATCH, dtype=self.dtype, name="reconstruct")(x)


class RgbOfTokens(nn.Module):
  """Depth [B, H, W, 1], motion [B, h, w, C] and tokens [B, N, F] to colours [B, H, W, 3]."""

  features: int
  layers: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, depth: Array, motion: Array, seen: Array) -> Array:
    dtype, context = self.dtype, motion.shape[-1]
    depth = scale_gradient(depth, DEPTH_GRADIENT)
    x = PatchEmbedding(context, PATCH, dtype=dtype, name="embedding")(depth) + motion
    x = ConvNeXtBlock(self.features, dtype=dtype, name="narrow")(x)
    found = AttentionLayers(self.layers, dtype, name="layers")(tokens(x), seen)
    x = ConvNeXtBlocks(self.layers // 2, dtype=dtype, name="blocks")(found.reshape(x.shape))
    return nn.sigmoid(PatchReconstruction(3, PATCH, dtype=dtype, name="reconstruct")(x))


class Background(nn.Module):
  """Uncertainty and background of frames.

  Attributes:
    latents: channels of the tokens, a multiple of 4.
    layers: how deep its parts are.
    context: size of the codes of depth and motion, a multiple of `latents`.
    threshold: uncertainty from which on a pixel is not used.
  """

  latents: int
  layers: int
  context: int
  threshold: float
  dtype: jnp.dtype | None = None

  def setup(self):
    size, depth, dtype = self.latents, self.layers, self.dtype
    share = lambda divisor: max(1, depth // divisor)  # noqa: E731
    self.uncertainty_network = ConvNeXtUnet(
      features=1,
      base=size // 4,
      encoder_blocks=(share(4), share(2), share(1), share(2)),
      coarsest_blocks=share(4),
      decoder_blocks=share(4),
      dtype=dtype,
    )
    self.patches = CertainPatches(size, self.threshold, dtype)
    self.base_layers = AttentionLayers(depth, dtype)
    self.rgb_layers = AttentionLayers(depth // 2, dtype)
    self.depth_layers = AttentionLayers(depth // 2, dtype)
    self.depth_context = ContextEncoding(self.context, True, dtype)
    layers = depth + depth // 2
    self.motion_encoder = MotionEncoder(size, self.context, layers, self.threshold, dtype)
    self.motion_place = Mlp((2 * size, 2 * size, 2 * size, self.context), dtype)
    self.depth_decoder = DepthOfContext(size, depth, dtype)
    self.rgb_decoder = RgbOfTokens(size, depth, dtype)

  def uncertainty(self, picture: Array) -> Array:
    """How little of each pixel is background: pictures [B, H, W, C] to [B, H, W, 1] in (0, 1)."""
    return nn.sigmoid(at_least_float32(self.uncertainty_network(rgb_to_ycbcr(picture))[0]))

  def still(
    self, picture: Array, training: bool = False, sample: Sample = True
  ) -> tuple[Array, Array, Array]:
    """Uncertainty, colours and depth of the background of pictures [B, H, W, C] themselves."""
    uncertainty = self.uncertainty(picture)
    view = self(picture, picture, uncertainty, uncertainty, None, 1.0, training, sample)
    return uncertainty, view.rgb, view.depth

  def __call__(
    self,
    source: Array,
    target: Array,
    source_uncertainty: Array,
    target_uncertainty: Array,
    moved: Array | None,
    colour: Array | float,
    training: bool,
    sample: Sample = True,
  ) -> BackgroundView:
    """The background of the target, seen in the source.

    Args:
      source, target: [B, H, W, C] colours in [0, 1], then depth.
      source_uncertainty, target_uncertainty: [B, H, W, 1].
      moved: [B] 1 where the frames differ in time, 0 where not; None: nowhere.
      colour: how much of the colour is seen beside luma, a scalar or [B].
      training: whether the code of the depth is noisy; otherwise it is zeros and ones.
      sample: as in `objectcentric_jax.nn.noise`.
    """
    source, target = _toned(source, target, colour)
    seen = self.base_layers(self.patches(source, source_uncertainty))
    context = self.depth_context(self.depth_layers(seen), training, sample)
    motion = jnp.zeros((len(source), AFFINE), context.dtype)
    if moved is not None:
      uncertainties = (source_uncertainty, target_uncertainty)
      motion = self._motion(source, target, *uncertainties, moved.astype(motion.dtype))
    height, width = source.shape[1] // PATCH, source.shape[2] // PATCH
    embedding = self.motion_place(moved_places(motion, height, width))
    depth = self.depth_decoder(context[:, None, None] + embedding)
    rgb = self.rgb_decoder(depth, embedding, self.rgb_layers(seen))
    return BackgroundView(at_least_float32(rgb), at_least_float32(depth), motion, context)

  def _motion(self, source, target, source_uncertainty, target_uncertainty, moved: Array) -> Array:
    """[B, 6]; computed only where some example moved."""
    pictures = (source, target, source_uncertainty, target_uncertainty)

    def encode(module, moved, *pictures):
      return module.motion_encoder(*pictures) * moved[:, None]

    def stand_still(module, moved, *pictures):
      return jnp.zeros((len(moved), AFFINE), moved.dtype)

    if self.is_initializing():
      return encode(self, moved, *pictures)
    return nn.cond(moved.max() > 0, encode, stand_still, self, moved, *pictures)


def _toned(source: Array, target: Array, colour: Array | float) -> tuple[Array, Array]:
  """Luma, chroma and depth of both; the chroma is that of the target in both, as published."""
  source, target = rgb_to_ycbcr(source), rgb_to_ycbcr(target)
  colour = jnp.broadcast_to(jnp.asarray(colour, target.dtype), (len(target),))
  chroma = target[..., 1:3] * colour[:, None, None, None]
  return tuple(
    jnp.concatenate([frame[..., :1], chroma, frame[..., 3:]], axis=-1) for frame in (source, target)
  )


BACKGROUND_FIELDS = ("latents", "layers", "context", "threshold")


def make_background(config: Mapping[str, Any], dtype: jnp.dtype | None) -> Background:
  """The background of `config.model`, with the fields of BACKGROUND_FIELDS in its `background`.

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  section = config["background"]
  check_fields("config.model.background", section, BACKGROUND_FIELDS)
  check_positive("config.model.background", section, BACKGROUND_FIELDS[:3])
  return Background(**{name: section[name] for name in BACKGROUND_FIELDS}, dtype=dtype)
