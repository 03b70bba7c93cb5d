"""Published names of the layers, encoder, decoders and background of Loci-Segmented.

Each function gives published name -> our parameter, for prefixes without their separator.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from objectcentric_jax.checkpoint_import.loci_sequence import attention, mlp
from objectcentric_jax.checkpoint_import.names import (
  Rearrange,
  Target,
  convolution,
  layer,
  linear,
  linear_after_flatten,
  linear_before_unflatten,
  norm,
  same,
  transposed_convolution,
)
from objectcentric_jax.models.loci.decoders import PATCH, mask_widths
from objectcentric_jax.models.loci.encoder import Encoder

Table = dict[str, Target]

PLACE_LAYERS = ("0", "2", "4", "6")  # of the networks that embed places


def bottleneck(published: str, ours: str, first: Rearrange = linear, last: Rearrange = linear):
  """A `Bottleneck`; the rearrangements are of its first and its last layer."""
  return {
    f"{published}.weight1": Target(f"{ours}/inner/kernel", first),
    f"{published}.bias1": Target(f"{ours}/inner/bias", same),
    f"{published}.weight2": Target(f"{ours}/outer/kernel", last),
    f"{published}.bias2": Target(f"{ours}/outer/bias", last if last is not linear else same),
  }


def embedding(published: str, ours: str, size: int = PATCH) -> Table:
  """A `PatchEmbedding`."""
  return bottleneck(published, f"{ours}/bottleneck", first=linear_after_flatten(size, size))


def reconstruction(published: str, ours: str, size: int = PATCH) -> Table:
  """A `PatchReconstruction`."""
  return bottleneck(published, f"{ours}/bottleneck", last=linear_before_unflatten(size, size))


def downscale(published: str, ours: str, size: int) -> Table:
  """A `PatchDownscale`."""
  return layer(f"{published}.layers", f"{ours}/project", linear_after_flatten(size, size))


def upscale(published: str, ours: str) -> Table:
  """A `PatchUpscale`."""
  return layer(f"{published}.residual.1", f"{ours}/conv", convolution) | layer(
    f"{published}.residual.3", f"{ours}/enlarge", transposed_convolution
  )


def block(published: str, ours: str) -> Table:
  """A `ConvNeXtBlock`."""
  depthwise = layer(f"{published}.layers.0", f"{ours}/depthwise", _depthwise)
  return (
    depthwise
    | norm(f"{published}.layers.1", f"{ours}/norm")
    | bottleneck(f"{published}.layers.2", f"{ours}/bottleneck")
  )


def _depthwise(weight):
  """(C, 1, k, k) to [k, k, C]."""
  return convolution(weight)[:, :, 0]


def blocks(published: str, ours: str, count: int, first: int = 0) -> Table:
  """`ConvNeXtBlocks`, from position `first` of a sequence on."""
  names = {}
  for i in range(count):
    names |= block(f"{published}.{first + i}", f"{ours}/block_{i}")
  return names


def attention_layer(published: str, ours: str, kind: str = "attention") -> Table:
  """An `AttentionLayer`; `kind` is "attention" or "cross_attention"."""
  return (
    norm(f"{published}.norm1", f"{ours}/norm_attention")
    | attention(f"{published}.{kind}", f"{ours}/attention")
    | norm(f"{published}.norm2", f"{ours}/norm_bottleneck")
    | bottleneck(f"{published}.mlp", f"{ours}/bottleneck")
  )


def attention_layers(published: str, ours: str, count: int, first: int = 0) -> Table:
  """`AttentionLayers`, from position `first` of a sequence on."""
  names = {}
  for i in range(count):
    names |= attention_layer(f"{published}.{first + i}", f"{ours}/layer_{i}")
  return names


def pooling(published: str, ours: str) -> Table:
  """A `PositionPooling`."""
  return mlp(f"{published}.residual", f"{ours}/residual", ("0", "2"))


# Decoders


def mask_decoder(published: str, ours: str, config: Mapping[str, Any]) -> Table:
  """The mask decoder of `config.model`."""
  names = {}
  widths = mask_widths(config["gestalt"], config["embedding"]["mask"]["channels"])
  for i in range(len(widths)):
    names |= layer(f"{published}.decoder.{2 * i}", f"{ours}/conv_{i}", convolution)
  return names | reconstruction(f"{published}.mask_reconstruction", f"{ours}/reconstruct")


def depth_decoder(published: str, ours: str, config: Mapping[str, Any]) -> Table:
  """The depth decoder of `config.model`."""
  return (
    embedding(f"{published}.mask_encoder.0", f"{ours}/conditions/mask")
    | layer(f"{published}.layers.0.linear", f"{ours}/mix", linear)
    | blocks(f"{published}.layers", ours, config["decoder"]["depth"]["layers"], 1)
    | reconstruction(f"{published}.depth_upscale", f"{ours}/reconstruct")
  )


def rgb_decoder(published: str, ours: str, config: Mapping[str, Any]) -> Table:
  """The decoder of colours of `config.model`."""
  return (
    embedding(f"{published}.mask_encoder.0", f"{ours}/conditions/mask")
    | embedding(f"{published}.depth_encoder.0", f"{ours}/conditions/depth")
    | layer(f"{published}.layers.0.linear", f"{ours}/mix", linear)
    | blocks(f"{published}.layers", ours, config["decoder"]["rgb"]["layers"], 1)
    | reconstruction(f"{published}.rgb_upscale.0", f"{ours}/reconstruct")
  )


DECODERS = {"mask": mask_decoder, "depth": depth_decoder, "rgb": rgb_decoder}


def slot_decoder(published: str, ours: str, config: Mapping[str, Any]) -> Table:
  """All three decoders of `config.model`."""
  names = {}
  for part, table in DECODERS.items():
    names |= table(f"{published}.to_{part}", f"{ours}/{part}", config)
  return names


def code_encoder(published: str, ours: str, part: str, config: Mapping[str, Any]) -> Table:
  """The encoder that a decoder is trained with."""
  fine, coarse = config["decoder"][part]["encoder_blocks"]
  theirs = f"{published}.encoder"
  return (
    embedding(f"{published}.{part}_embedding.0", f"{ours}/embedding")
    | block(f"{theirs}.0", f"{ours}/widen")
    | blocks(theirs, f"{ours}/fine", fine, 1)
    | downscale(f"{theirs}.{1 + fine}", f"{ours}/down", 2)
    | blocks(theirs, f"{ours}/coarse", coarse, 2 + fine)
    | block(f"{theirs}.{2 + fine + coarse}", f"{ours}/last")
    | pooling(f"{published}.pool.0", f"{ours}/pooling")
  )


# Encoder


def hyper_sequence(published: str, ours: str, layers: Sequence[tuple[str | int, int]]) -> Table:
  """A `HyperSequence` of these layers."""
  names = {
    f"{published}.base_weights": Target(f"{ours}/base", same),
    f"{published}.alpha": Target(f"{ours}/gain", same),
  }
  for i, (kind, _) in enumerate(layers):
    theirs, name = f"{published}.layers.{i}", f"{ours}/layer_{i}"
    if kind == "block":
      names |= norm(f"{theirs}.linear_layers.0", f"{name}/norm")
      names |= bottleneck(f"{theirs}.linear_layers.1", f"{name}/bottleneck")
    else:
      names |= downscale(f"{theirs}.base_layer", name, kind)
  return names


SEQUENCES = {
  "stem": "stem",
  "position": "position_encoder",
  "base": "gestalt_base_encoder",
  **{name: f"{name}_gestalt_encoder" for name in DECODERS},
}
POOLINGS = {
  "scale": "depth_scale_pooling",
  **{name: f"{name}_gestalt_pooling" for name in DECODERS},
}


def encoder(published: str, ours: str, network: Encoder) -> Table:
  """The encoder."""
  names = {}
  for name, part in network.parts.items():
    names |= hyper_sequence(f"{published}.{SEQUENCES[name]}", f"{ours}/{name}", part.layers)
  for name, theirs in POOLINGS.items():
    names |= pooling(f"{published}.{theirs}.0", f"{ours}/{name}_pooling")
  for factor in ("index_factor", "priority_factor", "depth_factor"):
    target = Target(f"{ours}/priority/{factor}", same)
    names[f"{published}.priority_encoder.{factor}"] = target
  between = max(network.blocks[2] - 2, 0)
  positions = ("0", *(f"{2 + i}.0" for i in range(between)), str(2 + between))
  return names | mlp(f"{published}.hyper_weights", f"{ours}/hyper_weights", positions)


# Background


def context(published: str, ours: str) -> Table:
  """A `ContextEncoding`."""
  return (
    bottleneck(f"{published}.expand", f"{ours}/expand")
    | {
      f"{published}.aggregate.query": Target(f"{ours}/sum/query", same),
      f"{published}.aggregate.alpha": Target(f"{ours}/sum/mixture", same),
    }
    | norm(f"{published}.aggregate.norm1", f"{ours}/sum/norm")
    | attention(f"{published}.aggregate.attention", f"{ours}/sum/attention")
    | mlp(f"{published}.process", f"{ours}/process", ("0", "2"))
  )


def unet_encoder(published: str, ours: str, counts: Sequence[int], embedded: bool = False) -> Table:
  """A `ConvNeXtEncoder` with so many blocks a level; `embedded` as its field `embedding`."""
  names = {}
  for level, count in enumerate(counts):
    theirs, size = f"{published}.layer{level}", 2 if level else 4
    if count or not level:
      down = embedding if embedded else downscale
      names |= down(f"{theirs}.0", f"{ours}/down_{level}", size)
    names |= blocks(theirs, f"{ours}/blocks_{level}", count, 1)
  return names


def unet(
  published: str,
  ours: str,
  counts: Sequence[int],
  coarsest: int,
  others: int,
  embedded: bool = False,
) -> Table:
  """A `ConvNeXtUnet`: `coarsest` and `others` are the numbers of its decoder blocks."""
  names = unet_encoder(f"{published}.encoder", f"{ours}/encoder", counts, embedded)
  for number, count in enumerate((coarsest, others, others, others)):
    theirs, level = f"{published}.layer{number}", 3 - number
    names |= blocks(theirs, f"{ours}/blocks_{level}", count)
    if embedded:
      size = 2 if level else 4
      names |= reconstruction(f"{theirs}.{count}", f"{ours}/up_{level}", size)
    elif count or number:
      names |= upscale(f"{theirs}.{count}", f"{ours}/up_{level}")
    if number:
      names |= layer(f"{published}.merge{number}", f"{ours}/merge_{level}", convolution)
  return names


def background(published: str, ours: str, layers: int) -> Table:
  """The background, so many `layers` deep; `published` and `ours` end in their separator."""
  half, share = layers // 2, lambda divisor: max(1, layers // divisor)
  motion, moved = f"{published}motion_encoder", layers + half
  counts = (share(4), share(2), share(1), share(2))
  names = unet(
    f"{published}uncertainty_estimation.1",
    f"{ours}uncertainty_network",
    counts,
    share(4),
    share(4),
  )
  names |= mlp(f"{published}base_encoder.0.embedding", f"{ours}patches/place", PLACE_LAYERS)
  names |= embedding(f"{published}base_encoder.0.to_patches.0", f"{ours}patches/embedding")
  names |= attention_layers(f"{published}base_encoder", f"{ours}base_layers", layers, 1)
  names |= attention_layers(f"{published}rgb_encoder", f"{ours}rgb_layers", half)
  names |= attention_layers(f"{published}depth_encoder", f"{ours}depth_layers", half)
  names |= context(f"{published}depth_encoder.{half}", f"{ours}depth_context")
  names |= embedding(f"{motion}.to_patches.0", f"{ours}motion_encoder/embedding")
  for name in ("source", "target"):
    place = f"{ours}motion_encoder/{name}_place"
    names |= mlp(f"{motion}.{name}_embedding", place, PLACE_LAYERS)
  names |= attention_layers(f"{motion}.layers", f"{ours}motion_encoder/layers", moved)
  names |= context(f"{motion}.layers.{moved}", f"{ours}motion_encoder/context")
  names |= layer(f"{motion}.layers.{moved + 1}", f"{ours}motion_encoder/motion", linear)
  names |= mlp(f"{motion}.motion_embedding", f"{ours}motion_place", PLACE_LAYERS)
  return names | _background_decoders(published, ours, layers)


def _background_decoders(published: str, ours: str, layers: int) -> Table:
  depth, rgb = f"{published}depth_decoder", f"{published}rgb_decoder"
  names = block(f"{depth}.layers.0", f"{ours}depth_decoder/narrow")
  names |= blocks(f"{depth}.layers", f"{ours}depth_decoder/blocks", layers - 1, 1)
  names |= reconstruction(f"{depth}.to_patches", f"{ours}depth_decoder/reconstruct")
  names |= embedding(f"{rgb}.depth_embedding.1", f"{ours}rgb_decoder/embedding")
  names |= block(f"{rgb}.preprocess.0", f"{ours}rgb_decoder/narrow")
  for i in range(layers):
    theirs = f"{rgb}.cross_attention_layers.{i}"
    names |= attention_layer(theirs, f"{ours}rgb_decoder/layers/layer_{i}", "cross_attention")
  names |= blocks(f"{rgb}.convnext_layers", f"{ours}rgb_decoder/blocks", layers // 2)
  return names | reconstruction(f"{rgb}.to_patches.0", f"{ours}rgb_decoder/reconstruct")
