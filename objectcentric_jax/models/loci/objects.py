"""Single objects: what the first stages of Loci-Segmented learn from, and how they are scored.

An example is a picture with the mask of one of its objects. Published code: model/pretrainer.py of
CognitiveModeling/Loci-Segmented.
"""

from collections.abc import Callable, Mapping

import flax.struct
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.ssim import l1_ssim, ycbcr_l2_ssim
from objectcentric_jax.nn.gaussian_position import mask_position
from objectcentric_jax.nn.gradients import absolute
from objectcentric_jax.scene import Scene

Array = jax.Array
Losses = tuple[Array, Array, Array]

RGB_LOSSES: Mapping[str, Callable[[Array, Array, Array], Losses]] = {
  "ycbcr_l2_ssim": ycbcr_l2_ssim,
  "l1_ssim": l1_ssim,
}
NO_DEPTH = -1.0  # depth below 0 is not known
FLOOR = 1e-6


@flax.struct.dataclass
class Objects:
  """One object in each of B pictures.

  Attributes:
    image: [B, H, W, 3] the picture.
    depth: [B, H, W, 1] of it; negative where it is not known.
    confidence: [B, H, W, 1] how sure the mask is, in [0, 1]; weighs the losses.
    mask: [B, H, W, 1] 0 or 1.
    depth_weight: [B, H, W, 1] confidence where the depth is known.
    standard_depth: [B, H, W, 1] depth within the mask, of mean 0 and deviation 1.
    z, scale: [B, 1] that mean and deviation.
    has_depth: [B, 1] largest depth weight.
  """

  image: Array
  depth: Array
  confidence: Array
  mask: Array
  depth_weight: Array
  standard_depth: Array
  z: Array
  scale: Array
  has_depth: Array


def objects_of(batch: Mapping[str, Array]) -> Objects:
  """The objects of a batch with `image`, `mask` and perhaps `depth`.

  Raises:
    InputError: a field is missing.
  """
  for name in ("image", "mask"):
    if name not in batch:
      raise InputError(f"config.data.fields lacks {name}, which this stage learns from")
  image, confidence = batch["image"], batch["mask"]
  depth = batch["depth"] if "depth" in batch else jnp.full_like(confidence, NO_DEPTH)
  mask = (confidence > 0.5).astype(confidence.dtype)
  depth_weight = (depth >= 0).astype(depth.dtype) * confidence
  area = mask.sum((1, 2, 3), keepdims=True)
  mean = (depth * mask).sum((1, 2, 3), keepdims=True) / (area + FLOOR)
  squares = ((depth - mean) ** 2 * mask).sum((1, 2, 3), keepdims=True)
  scale = jnp.sqrt(squares / (area + FLOOR))
  return Objects(
    image=image,
    depth=depth,
    confidence=confidence,
    mask=mask,
    depth_weight=depth_weight,
    standard_depth=(depth - mean) / (scale + FLOOR) * mask,
    z=mean[:, 0, 0],
    scale=scale[:, 0, 0],
    has_depth=depth_weight.max((1, 2)),
  )


def mask_error(probability: Array, mask: Array) -> Array:
  """Mean squared error of masks [B, H, W, 1]: [B]."""
  return ((probability - mask) ** 2).mean((1, 2, 3))


def mask_iou(probability: Array, mask: Array) -> Array:
  """Intersection over union of masks [B, H, W, 1] above a half: [B]."""
  found = (probability > 0.5).astype(mask.dtype)
  union = jnp.maximum(found, mask).sum((1, 2, 3))
  return (found * mask).sum((1, 2, 3)) / (union + FLOOR)


def check_rgb_loss(name: str):
  """Raises InputError unless there is such a loss of colours."""
  if name not in RGB_LOSSES:
    known = ", ".join(RGB_LOSSES)
    raise InputError(f"config.model.rgb_loss is {name!r}: choose one of {known}")


def scene_of_objects(objects: Objects, probability, rgb, standard_depth, latents=None) -> Scene:
  """The pictures with what was decoded of their object in its place.

  Args:
    objects: the truth, shown wherever nothing was decoded.
    probability: [B, H, W, 1] of the mask, rgb [B, H, W, 3], standard_depth [B, H, W, 1]; or None.
    latents: [B, D] codes.
  """
  mask = objects.mask if probability is None else probability
  rgb = objects.image if rgb is None else rgb
  standard = objects.standard_depth if standard_depth is None else standard_depth
  z, scale = objects.z[:, None, None], objects.scale[:, None, None]
  return Scene(
    image=mask * rgb + (1 - mask) * objects.image,
    masks=jnp.stack([mask, 1 - mask], axis=1),
    components=jnp.stack([rgb, objects.image], axis=1),
    latents=None if latents is None else latents[:, None],
    depth=z + standard * scale,
    background=jnp.array([False, True]),
  )


def object_scores(scene: Scene, batch: Mapping[str, Array]) -> dict[str, Array]:
  """How well one object was decoded: "iou" of its mask, mean errors in it of colours and depth."""
  objects = objects_of(batch)
  colours = absolute(scene.components[:, 0] - objects.image).mean(-1, keepdims=True) * objects.mask
  area = objects.mask.sum((1, 2, 3)) + FLOOR
  weight = objects.depth_weight
  depth = (absolute(scene.depth - objects.depth) * weight).sum((1, 2, 3))
  return {
    "iou": mask_iou(scene.masks[:, 0], objects.mask),
    "colour_error": colours.sum((1, 2, 3)) / area,
    "depth_error": depth / (weight.sum((1, 2, 3)) + FLOOR),
  }


def object_position(mask: Array) -> Array:
  """Centre and size (x, y, deviation) of masks [B, H, W, 1], without gradient: [B, 3]."""
  return jax.lax.stop_gradient(mask_position(mask))
