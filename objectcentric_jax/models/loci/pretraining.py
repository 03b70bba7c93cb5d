"""First stages of Loci-Segmented: each decoder alone, with an encoder that is thrown away after.

`config.model.part` says what is learned: "mask", "depth" or "rgb", the decoder of that name from
the code of one object; or "embedding", the layers between pixels and patches of all three.
Published code: model/pretrainer.py of CognitiveModeling/Loci-Segmented.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.losses.ssim import l1_ssim
from objectcentric_jax.models.loci.decoders import (
  PATCH,
  DepthDecoder,
  MaskDecoder,
  RgbDecoder,
  make_depth_decoder,
  make_mask_decoder,
  make_rgb_decoder,
  mask_probability,
)
from objectcentric_jax.models.loci.objects import (
  RGB_LOSSES,
  Objects,
  check_rgb_loss,
  mask_error,
  mask_iou,
  object_position,
  object_scores,
  objects_of,
  scene_of_objects,
)
from objectcentric_jax.models.loci.panels import object_panel
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.binarize import Binarize
from objectcentric_jax.nn.compute import compute_dtype
from objectcentric_jax.nn.convnext import ConvNeXtBlock, ConvNeXtBlocks
from objectcentric_jax.nn.gaussian_position import PositionPooling, gaussian_map
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import NOISE, Sample
from objectcentric_jax.nn.patches import PatchDownscale, PatchEmbedding, PatchReconstruction

Array = jax.Array

PARTS = ("mask", "depth", "rgb", "embedding")
CHANNELS = {"mask": 1, "depth": 1, "rgb": 3}  # of the picture of each kind
STEP = 32  # pictures have multiples of so many pixels


class CodeEncoder(nn.Module):
  """The picture of one object [B, H, W, C] and its place [B, 3] to the logits of its code [B, G].

  Attributes:
    code: G.
    embedding: channels of the embedded patches; `expansion` of the layers that embed them.
    channels, blocks: at a sixteenth of the resolution; twice as many channels at half of that.
    squashed: see `objectcentric_jax.nn.gaussian_position.squash_deviation`.
  """

  code: int
  embedding: int
  expansion: int
  channels: int
  blocks: Sequence[int]
  squashed: bool = False
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, picture: Array, position: Array) -> Array:
    fine, coarse, dtype = *self.blocks, self.dtype
    embed = PatchEmbedding(self.embedding, PATCH, self.expansion, dtype=dtype, name="embedding")
    x = tanh(embed(picture))
    x = ConvNeXtBlock(self.channels, dtype=dtype, name="widen")(x)
    x = ConvNeXtBlocks(fine, dtype=dtype, name="fine")(x)
    x = PatchDownscale(2 * self.channels, 2, dtype=dtype, name="down")(x)
    x = ConvNeXtBlocks(coarse, dtype=dtype, name="coarse")(x)
    x = ConvNeXtBlock(max(self.code, 2 * self.channels), dtype=dtype, name="last")(x)
    return PositionPooling(self.code, self.squashed, dtype=dtype, name="pooling")(x, position)


class PartAutoencoder(nn.Module):
  """One decoder with an encoder of its own.

  Attributes:
    part: "mask", "depth" or "rgb".
    encoder, decoder: of that part.
  """

  part: str
  encoder: CodeEncoder
  decoder: MaskDecoder | DepthDecoder | RgbDecoder

  @nn.compact
  def __call__(
    self, objects: Objects, training: bool, sample: Sample = True
  ) -> tuple[dict[str, Array], Array, Array]:
    """What was decoded, by name ("mask" as logits), the codes [B, G] and the positions [B, 3]."""
    mask, depth = objects.mask, objects.standard_depth
    position = object_position(mask)
    picture = {"mask": mask, "depth": depth * mask, "rgb": objects.image * mask}[self.part]
    code = Binarize(training)(self.encoder(picture, position), sample)
    if self.part == "mask":
      grid = gaussian_map(position, mask.shape[1] // PATCH, mask.shape[2] // PATCH)
      output = self.decoder(code[:, None, None] * grid)
    elif self.part == "depth":
      output = self.decoder(position, code, mask)
    else:
      output = self.decoder(position, code, mask, depth)
    return {self.part: output}, code, position


class PatchAutoencoders(nn.Module):
  """The layers between pixels and patches of masks, depth and colours, each by itself.

  Attributes:
    sizes: name -> (channels, expansion).
  """

  sizes: Mapping[str, tuple[int, int]]
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(
    self, objects: Objects, training: bool, sample: Sample = True
  ) -> tuple[dict[str, Array], None, Array]:
    """What was decoded, by name ("mask" as logits), no codes, and the positions [B, 3]."""
    pictures = {
      "mask": objects.mask,
      "depth": objects.standard_depth,
      "rgb": objects.image * objects.mask,
    }
    decoded = {}
    for name, (channels, expansion) in self.sizes.items():
      embed = PatchEmbedding(channels, PATCH, expansion, self.dtype, name=f"{name}_embedding")
      reconstruct = PatchReconstruction(
        CHANNELS[name], PATCH, expansion, self.dtype, name=f"{name}_reconstruction"
      )
      decoded[name] = reconstruct(tanh(embed(pictures[name])))
    return decoded | {"rgb": nn.sigmoid(decoded["rgb"])}, None, object_position(objects.mask)


@dataclasses.dataclass(frozen=True)
class PartTask:
  """Training of one part, as `objectcentric_jax.training.task.Task`; it draws no new scenes.

  Attributes:
    network: what is trained.
    rgb_loss: name of the loss of colours.
  """

  network: PartAutoencoder | PatchAutoencoders
  rgb_loss: str

  metrics = (object_scores,)

  @property
  def losses(self):
    return {"reconstruction": self.reconstruction}

  def init(self, rng, batch):
    params = self.network.init({"params": rng, NOISE: rng}, objects_of(batch), True, False)
    return params["params"], {}

  def reconstruction(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Sum of the losses of what the part decodes."""
    objects = objects_of(batch)
    decoded, code, _ = self.decode_objects(params, objects, rng, True, sample)
    terms = {name: value.mean() for name, value in self.object_terms(decoded, objects).items()}
    loss = sum(terms[name] for name in LOSSES if name in terms)
    if code is not None:
      terms["uncertain"] = jnp.minimum(jnp.abs(code), jnp.abs(1 - code)).mean()
    return loss, (model_state, terms)

  def decode_objects(self, params, objects: Objects, rng, training: bool, sample: Sample = True):
    """What `network` gives for these objects, with its noise from `rng`."""
    found = self.network.apply({"params": params}, objects, training, sample, rngs={NOISE: rng})
    return jax.tree.map(at_least_float32, found)

  def object_terms(self, decoded: Mapping[str, Array], objects: Objects) -> dict[str, Array]:
    """Losses (see LOSSES) of what was decoded and what is known of them, each [B]."""
    terms = {}
    if "mask" in decoded:
      probability = mask_probability(decoded["mask"])
      terms["mask_loss"] = mask_error(probability, objects.mask)
      terms["mean_iou"] = mask_iou(probability, objects.mask)
    if "depth" in decoded:
      found = l1_ssim(decoded["depth"], objects.standard_depth, objects.depth_weight)
      terms |= dict(zip(("depth_loss", "depth_l1", "depth_ssim"), found, strict=True))
    if "rgb" in decoded:
      masked = objects.image * objects.mask
      found = RGB_LOSSES[self.rgb_loss](decoded["rgb"], masked, objects.confidence)
      terms |= dict(zip(("rgb_loss", "rgb_l1", "rgb_ssim"), found, strict=True))
    return terms

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    objects = objects_of(batch)
    decoded, code, _ = self.decode_objects(params, objects, rng, False, sample)
    probability = mask_probability(decoded["mask"]) if "mask" in decoded else None
    return scene_of_objects(objects, probability, decoded.get("rgb"), decoded.get("depth"), code)

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    return {}

  @property
  def panels(self):
    return {"object": self.object_panel}

  def object_panel(self, params, model_state, batch, rng):
    """See `objectcentric_jax.models.loci.panels.object_panel`."""
    objects = objects_of(batch)
    decoded, code, position = self.decode_objects(params, objects, rng, False)
    if "mask" in decoded:
      decoded = decoded | {"mask": mask_probability(decoded["mask"])}
    return object_panel(objects, decoded, position, code)


LOSSES = ("mask_loss", "depth_loss", "rgb_loss")
FIELDS = (
  *("part", "height", "width", "gestalt", "embedding", "encoder", "decoder", "rgb_loss"),
  *("squashed_deviation", "rematerialise", "dtype"),
)


def check_pictures(config: Mapping[str, Any]):
  """Raises InputError unless pictures of `config.model` divide into patches."""
  for name in ("height", "width"):
    if config[name] < STEP or config[name] % STEP:
      raise InputError(f"config.model.{name} is {config[name]}: a multiple of {STEP} is needed")


def check_size(config: Mapping[str, Any]):
  """Raises InputError unless pictures and codes of `config.model` are what decoders can use."""
  check_pictures(config)
  least = 2 * config["embedding"]["mask"]["channels"]
  if config["gestalt"] < least:
    raise InputError(
      f"config.model.gestalt is {config['gestalt']}: at least {least}, twice the channels of the "
      "mask's embedding, is needed"
    )


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> PartTask:
  """Builds the task from `config.model`; see `configs/loci/_base.py` for its fields.

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, FIELDS)
  check_size(config)
  check_rgb_loss(config["rgb_loss"])
  part = config["part"]
  if part not in PARTS:
    raise InputError(f"config.model.part is {part!r}: choose one of {', '.join(PARTS)}")
  dtype = compute_dtype(config["dtype"])
  return PartTask(make_network(config, dtype), config["rgb_loss"])


def make_network(config: Mapping[str, Any], dtype) -> PartAutoencoder | PatchAutoencoders:
  """The network of `config.model`."""
  part, sizes = config["part"], config["embedding"]
  if part == "embedding":
    pairs = {name: (sizes[name]["channels"], sizes[name]["expansion"]) for name in CHANNELS}
    return PatchAutoencoders(pairs, dtype)
  make = {"mask": make_mask_decoder, "depth": make_depth_decoder, "rgb": make_rgb_decoder}[part]
  encoder = CodeEncoder(
    code=config["gestalt"],
    embedding=sizes[part]["channels"],
    expansion=sizes[part]["expansion"],
    channels=config["decoder"][part]["encoder_channels"],
    blocks=tuple(config["decoder"][part]["encoder_blocks"]),
    squashed=config["squashed_deviation"],
    dtype=dtype,
  )
  return PartAutoencoder(part, encoder, make(config, dtype))
