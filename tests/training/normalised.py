"""A model that compiles in no time and has running statistics: two layers around a batch norm."""

import dataclasses

import flax.linen as nn

from objectcentric_jax.models.elbo_task import ElboTask
from objectcentric_jax.nn.convolution import Conv
from objectcentric_jax.nn.normalization import BatchNorm
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.devices import AXIS
from tests.models.elbo_models import GECO


class Network(nn.Module):
  """Images to images of the same size."""

  axis_name: str | None

  @nn.compact
  def __call__(self, image, sample=True):
    x = BatchNorm(axis_name=self.axis_name)(Conv(5, 3, padding=1, use_bias=False)(image))
    return Conv(3, 1)(nn.relu(x))


@dataclasses.dataclass(frozen=True)
class NormalisedTask(ElboTask):
  """Reconstructs images, and keeps the reconstruction small."""

  def objective_terms(self, posterior, image):
    squares = (posterior - image) ** 2
    return {"reconstruction": squares.sum((1, 2, 3)), "size": (posterior**2).sum((1, 2, 3))}

  def scene_of(self, result):
    return Scene(image=result)


def task(parallel: str) -> NormalisedTask:
  axis_name = AXIS if parallel == "pmap" else None
  return NormalisedTask(Network(axis_name), geco=GECO, axis_name=axis_name)
