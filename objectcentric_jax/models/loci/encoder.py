"""Encoder of Loci-Segmented: what each slot sees in an image, by weights that its codes choose.

Every slot looks at the whole image, at its own last mask and at what the others cover. Depthwise
kernels are a base that all slots share plus what a network makes of the slot's codes. Published
code: nn/encoder.py and nn/hypernets.py of CognitiveModeling/Loci-Segmented. N is batch times slots,
G the size of a code, h = H / 16.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from objectcentric_jax.models.loci.decoders import flat
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.binarize import Binarize
from objectcentric_jax.nn.convnext import KERNEL, group_count
from objectcentric_jax.nn.depthwise import convolve_depthwise
from objectcentric_jax.nn.gaussian_position import (
  PositionPooling,
  expected_place,
  gaussian_map,
  squash_deviation,
)
from objectcentric_jax.nn.gradients import absolute
from objectcentric_jax.nn.linear import Bottleneck, Mlp
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample
from objectcentric_jax.nn.normalization import GroupNorm
from objectcentric_jax.nn.patches import PatchDownscale, match_width

Array = jax.Array

INPUTS = 16  # channels that a slot looks at
POSITION_MAPS = 4  # x and y together, z, deviation, priority
TINY = 1e-16  # start of factors that training is to find
WEIGHTS = KERNEL**2 + 1  # of a channel: its kernel and its bias


@flax.struct.dataclass
class SlotInputs:
  """What slots see and know.

  Attributes:
    image: [B, H, W, 3] in [0, 1]; depth [B, H, W, 1], zeros where the model has none.
    error: [B, H, W, 1] what no slot explains yet.
    mask: [B, K + 1, H, W, 1] last masks, that of the background last.
    raw_mask: [B, K, H, W, 1] last masks, hidden parts included.
    rgb, depth_of_slot: [B, K, H, W, 3 or 1] what they looked like.
    position: [B, K, 4] and gestalt [B, K, 3G + 1], where and what they were.
    active: [B, K] 1 for slots that have an object, 0 for those that start anew.
  """

  image: Array
  depth: Array
  error: Array
  mask: Array
  raw_mask: Array
  rgb: Array
  depth_of_slot: Array
  position: Array
  gestalt: Array
  active: Array


def first_inputs(image: Array, depth: Array, position: Array, codes: int) -> SlotInputs:
  """Of slots that know nothing but a position [B, K, 4]; `codes` is 3G + 1."""
  batch, slots = position.shape[:2]

  def empty(count, channels):
    return jnp.zeros((batch, count, *image.shape[1:3], channels), image.dtype)

  return SlotInputs(
    image=image,
    depth=depth,
    error=jnp.zeros_like(depth),
    mask=empty(slots + 1, 1),
    raw_mask=empty(slots, 1),
    rgb=empty(slots, 3),
    depth_of_slot=empty(slots, 1),
    position=position,
    gestalt=jnp.zeros((batch, slots, codes), image.dtype),
    active=jnp.zeros((batch, slots), image.dtype),
  )


def slot_channels(inputs: SlotInputs, squashed: bool = False) -> Array:
  """What each slot looks at: [B K, H, W, 16]."""
  batch, slots, height, width, _ = inputs.raw_mask.shape
  active = inputs.active[..., None, None, None]
  own = inputs.mask[:, :-1] * active
  position = squash_deviation(inputs.position, height, width) if squashed else inputs.position
  visible = inputs.raw_mask * active
  shared = jnp.concatenate([inputs.image, inputs.depth, inputs.error], axis=-1)
  parts = (
    jnp.broadcast_to(shared[:, None], (batch, slots, *shared.shape[1:])),
    own,
    own.sum(1, keepdims=True) - own,
    jnp.broadcast_to(inputs.mask[:, -1:], own.shape),
    inputs.rgb * visible,
    inputs.depth_of_slot * visible,
    jnp.zeros((batch, slots, height, width, 2), shared.dtype),  # a flow that is never computed
    gaussian_map(position, height, width),
    visible,
  )
  return flat(jnp.concatenate([part.astype(shared.dtype) for part in parts], axis=-1))


def base_weights(widths: Sequence[int]):
  """Initialiser of the weights [1, N] of depthwise layers of these widths, one after the other."""

  def init(key, shape, dtype):
    parts = []
    for width, layer in zip(widths, jax.random.split(key, len(widths)), strict=True):
      of_kernel, of_bias = jax.random.split(layer)
      kernel = jax.random.normal(of_kernel, (KERNEL**2 * width,), dtype)
      bias = jax.random.normal(of_bias, (width,), dtype)
      parts += [kernel * (6 / (KERNEL**2 + width)) ** 0.5, bias * (1 / width) ** 0.5]
    return jnp.concatenate(parts).reshape(shape)

  return init


class HyperBlock(nn.Module):
  """ConvNeXt block whose depthwise weights are given: [N, H, W, C] to [N, H, W, features].

  `weights` [N or 1, at least 50 C] begin with the kernels, channel by channel, then the biases.
  """

  features: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array, weights: Array) -> Array:
    channels = x.shape[-1]
    x, weights = promote_dtype(x, weights, dtype=self.dtype)
    kernel, bias = jnp.split(weights[:, : WEIGHTS * channels], [KERNEL**2 * channels], axis=1)
    kernel = jnp.moveaxis(kernel.reshape(-1, channels, KERNEL, KERNEL), 1, -1)
    y = convolve_depthwise(x, kernel) + bias[:, None, None]
    y = GroupNorm(group_count(channels), dtype=self.dtype, name="norm")(y)
    hidden = 4 * max(channels, self.features)
    y = Bottleneck(hidden, self.features, dtype=self.dtype, name="bottleneck")(y)
    return y + match_width(x, self.features)


class HyperSequence(nn.Module):
  """Hyper blocks and patch layers in a row: [N, H, W, C] to [N, h, w, layers[-1].features].

  As published every block reads its weights from the first entry on, so that blocks of one width
  share them; the entries behind those of the widest are never read.

  Attributes:
    layers: (kind, features) of each: "block", or the side of the patches of a `PatchDownscale`.
    inputs: C.
  """

  layers: Sequence[tuple[str | int, int]]
  inputs: int
  dtype: jnp.dtype | None = None

  @property
  def widths(self) -> list[int]:
    """Channels that go into each block."""
    before = (self.inputs, *(features for _, features in self.layers))
    kinds = (kind for kind, _ in self.layers)
    return [width for width, kind in zip(before, kinds, strict=False) if kind == "block"]

  @property
  def weight_count(self) -> int:
    """Numbers that choose its depthwise layers."""
    return WEIGHTS * sum(self.widths)

  @nn.compact
  def __call__(self, x: Array, dynamic: Array | None) -> Array:
    """Args: x as above; dynamic [N, weight_count], added to the base by a learned factor."""
    base = self.param("base", base_weights(self.widths), (1, self.weight_count), jnp.float32)
    gain = self.param("gain", nn.initializers.constant(TINY), (1,), jnp.float32)
    weights = base
    if dynamic is not None:
      base, gain, dynamic = promote_dtype(base, gain, dynamic, dtype=self.dtype)
      weights = base + gain.reshape(1, 1) * dynamic
    for i, (kind, features) in enumerate(self.layers):
      name = f"layer_{i}"
      if kind == "block":
        x = HyperBlock(features, dtype=self.dtype, name=name)(x, weights)
      else:
        x = PatchDownscale(features, kind, dtype=self.dtype, name=name)(x)
    return x


class Priority(nn.Module):
  """Maps [B, K, h, w, 1] and z [B, K] to the priorities of slots, [B, K].

  They start as the number of the slot alone, from -1 to 1; the only slot has 0.
  """

  @nn.compact
  def __call__(self, maps: Array, z: Array) -> Array:
    small = nn.initializers.constant(TINY)
    by_index = self.param("index_factor", nn.initializers.ones, (1,), jnp.float32)
    by_map = self.param("priority_factor", small, (1,), jnp.float32)
    by_depth = self.param("depth_factor", small, (1,), jnp.float32)
    slots = maps.shape[1]
    index = jnp.linspace(-1.0, 1.0, slots) if slots > 1 else jnp.zeros(1)
    raised = tanh(maps.mean((2, 3, 4))) * by_map[None]
    index = (by_index * index.astype(maps.dtype))[None]
    return raised + index + z * absolute(by_depth)[None]


class Encoder(nn.Module):
  """`SlotInputs` to positions [B, K, 4], codes [B, K, 3G + 1] and priorities [B, K].

  Attributes:
    code: G.
    channels: at a quarter of the resolution, a multiple of 16; twice as many with every halving.
    blocks: at a quarter, an eighth and a sixteenth of it, and of each head.
    hyper_channels: of the network that makes weights out of codes.
    squashed: see `objectcentric_jax.nn.gaussian_position.squash_deviation`.
    rematerialise: whether the backward pass computes the encoder again instead of keeping it.
  """

  code: int
  channels: int
  blocks: Sequence[int]
  hyper_channels: int
  squashed: bool = False
  rematerialise: bool = False
  dtype: jnp.dtype | None = None

  @property
  def parts(self) -> dict[str, HyperSequence]:
    """The stem and what follows it, by name, in the order of their weights."""
    width, (first, second, third, heads) = self.channels, self.blocks
    block = lambda count, features: [("block", features)] * count  # noqa: E731
    stem = [(4, width), *block(first, width)]
    stem += [(2, 2 * width), *block(second, 2 * width)]
    stem += [(2, 4 * width), *block(third, 4 * width)]
    codes = [(2, 8 * width), *block(2 * heads, 8 * width)]
    kind = nn.remat(HyperSequence) if self.rematerialise else HyperSequence
    make = lambda layers, inputs: kind(tuple(layers), inputs, self.dtype, parent=None)  # noqa: E731
    return {
      "stem": make(stem, INPUTS),
      "position": make([*block(heads, 4 * width), ("block", POSITION_MAPS)], 4 * width),
      "base": make(block(heads, 4 * width), 4 * width),
      **{name: make(codes, 4 * width) for name in ("mask", "depth", "rgb")},
    }

  @nn.compact
  def __call__(
    self, inputs: SlotInputs, training: bool, sample: Sample = True, dynamic: bool = True
  ) -> tuple[Array, Array, Array]:
    """Encodes slots.

    Args:
      inputs: what they see.
      training: whether codes are noisy; otherwise they are zeros and ones.
      sample: as in `objectcentric_jax.nn.noise`.
      dynamic: whether codes choose weights; otherwise all slots have the base weights.
    """
    batch, slots = inputs.position.shape[:2]
    parts = self.parts
    counts = {name: part.weight_count for name, part in parts.items()}
    weights = self._weights(inputs, counts) if dynamic else dict.fromkeys(counts)
    run = lambda name, x: parts[name].copy(name=name)(x, weights[name])  # noqa: E731
    stem = run("stem", slot_channels(inputs, self.squashed))
    position, priority = self._locate(run("position", stem), batch, slots)
    base, place = run("base", stem), flat(position)
    features = {name: run(name, base) for name in ("mask", "depth", "rgb")}

    def pool(name, size, features):
      pooling = PositionPooling(size, self.squashed, dtype=self.dtype, name=f"{name}_pooling")
      return pooling(features, place)

    logits = [pool(name, self.code, map_) for name, map_ in features.items()]
    codes = Binarize(training)(jnp.concatenate(logits, axis=-1), sample)
    scale = nn.sigmoid(pool("scale", 1, features["depth"]))
    gestalt = jnp.concatenate([codes, scale], axis=-1)
    return position, gestalt.reshape(batch, slots, -1), priority

  def _weights(self, inputs: SlotInputs, counts: Mapping[str, int]) -> dict[str, Array]:
    """What is added to the depthwise weights of each part; nothing for slots that start anew."""
    hidden = (self.hyper_channels,) * (1 + max(self.blocks[2] - 2, 0))
    network = Mlp((*hidden, sum(counts.values())), dtype=self.dtype, name="hyper_weights")
    made = network(flat(inputs.gestalt)[:, :-1])
    made = made * flat(inputs.active)[:, None].astype(made.dtype)
    split, start = {}, 0
    for name, count in counts.items():
      split[name] = made[:, start : start + count]
      start += count
    return split

  def _locate(self, maps: Array, batch: int, slots: int) -> tuple[Array, Array]:
    """Positions [B, K, 4] and priorities [B, K] from maps [B K, h, w, 4]."""
    maps = at_least_float32(maps)
    chance = nn.softmax(maps[..., 0].reshape(len(maps), -1)).reshape(*maps.shape[:3], 1)
    means = maps.mean((1, 2))
    z, deviation = nn.sigmoid(means[:, 1:2]), means[:, 2:3]
    position = jnp.concatenate([expected_place(chance), z, deviation], axis=-1)
    maps = maps.reshape(batch, slots, *maps.shape[1:])
    priority = Priority(name="priority")(maps[..., 3:], z.reshape(batch, slots))
    return position.reshape(batch, slots, -1), priority


def make_encoder(config: Mapping[str, Any], dtype: jnp.dtype | None) -> Encoder:
  """The encoder of `config.model`."""
  size = config["encoder"]
  return Encoder(
    code=config["gestalt"],
    channels=size["channels"],
    blocks=tuple(size["blocks"]),
    hyper_channels=size["hyper_channels"],
    squashed=config["squashed_deviation"],
    rematerialise=config["rematerialise"],
    dtype=dtype,
  )
