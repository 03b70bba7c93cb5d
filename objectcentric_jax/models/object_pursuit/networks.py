"""Networks from images to the mask of one object: with generated weights, or with their own."""

from collections.abc import Mapping

import flax.linen as nn
import jax

from objectcentric_jax.models.object_pursuit.hypernetwork import Generated, Hypernetwork
from objectcentric_jax.models.object_pursuit.layers import BACKBONE, Table
from objectcentric_jax.models.object_pursuit.segmenter import Backbone, GeneratedSegmenter, Head
from objectcentric_jax.models.object_pursuit.unet import UNet
from objectcentric_jax.nn.noise import Sample

Array = jax.Array


class ObjectNetwork(nn.Module):
  """From latents to masks.

  Attributes:
    hypernetwork: gives the weights.
    segmenter: uses them.
    backbone: of all objects; None where it is generated, too.
  """

  hypernetwork: Hypernetwork
  segmenter: GeneratedSegmenter
  backbone: Backbone | None

  def generate(self, latents: Array) -> dict[str, Generated]:
    """Weights of any number of objects, trees of [Z, ...], from latents [Z, D]."""
    return self.hypernetwork(latents)

  def segment(
    self, weights: Mapping[str, Generated], image: Array, sample: Sample = False
  ) -> Array:
    """Mask logits [B, H, W, 1] of images [B, H, W, 3] by the weights of one object."""
    if self.backbone is None:
      features, low = self.segmenter.features(weights, image)
    else:
      features, low = self.backbone(image)
    return self.segmenter(weights, features, low, image.shape[1:3], sample)

  def __call__(self, latent: Array, image: Array, sample: Sample = False) -> Array:
    """Mask logits [B, H, W, 1] of images [B, H, W, 3] for the object of a latent [D]."""
    weights = jax.tree.map(lambda x: x[0], self.generate(latent[None]))
    return self.segment(weights, image, sample)


class DeepLab(nn.Module):
  """The same network with weights of its own: images [B, H, W, 3] to logits [B, H, W, 1]."""

  backbone: Backbone
  head: Head

  def __call__(self, image: Array, sample: Sample = False) -> Array:
    return self.head(*self.backbone(image), image.shape[1:3], sample)


class PlainUNet(nn.Module):
  """The U-Net as a network to compare with; it has no dropout."""

  unet: UNet

  def __call__(self, image: Array, sample: Sample = False) -> Array:
    del sample
    return self.unet(image)


def object_network(
  table: Table, backbone: Table | None, rematerialise: bool, axis_name: str | None, dtype
) -> ObjectNetwork:
  """The network whose layers in `table` are generated and those in `backbone` are not."""
  layers = tuple(table.items())
  return ObjectNetwork(
    hypernetwork=Hypernetwork(layers, rematerialise=rematerialise, dtype=dtype),
    segmenter=GeneratedSegmenter(axis_name=axis_name, dtype=dtype),
    backbone=backbone and Backbone(tuple(backbone.items()), axis_name=axis_name, dtype=dtype),
  )


def deeplab(table: Table, axis_name: str | None, dtype) -> DeepLab:
  """The network with weights of its own in every layer of a whole table."""
  parts = {True: [], False: []}
  for name, kernel in table.items():
    parts[name.startswith(BACKBONE)].append((name, kernel))
  shared = dict(axis_name=axis_name, dtype=dtype)
  return DeepLab(
    backbone=Backbone(tuple(parts[True]), **shared), head=Head(tuple(parts[False]), **shared)
  )
