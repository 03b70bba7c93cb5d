"""The gate that decides what a slot takes from the picture and what it keeps from its prediction.

Published code: `UpdateModule` in nn/predictor.py of CognitiveModeling/Loci-Segmented.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.models.loci.latents import Latents
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.linear import Mlp
from objectcentric_jax.nn.noise import Sample, draw_normal

Array = jax.Array

START = 3.0  # added to the gates' inputs: they begin open


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def sparse_gate(x: Array, opening_cost: float) -> Array:
  """relu(tanh(x)), whose gradient also pushes every open gate towards closing."""
  del opening_cost
  return nn.relu(tanh(x))


def _forward(x, opening_cost):
  gate = sparse_gate(x, opening_cost)
  return gate, gate


def _backward(opening_cost, gate, ahead):
  is_open = (gate > 0).astype(gate.dtype)
  return ((ahead + opening_cost * is_open) * (1 - gate**2) * is_open,)


sparse_gate.defvjp(_forward, _backward)


class UpdateGate(nn.Module):
  """Mixes what was just seen with what was predicted, per slot.

  Attributes:
    features: width of the hidden layers.
    layers: linear layers in all, at least 2.
    noise: standard deviation of the noise on the gates' inputs in training.
    opening_cost: of every open gate, see `sparse_gate`.
  """

  features: int
  layers: int
  noise: float
  opening_cost: float
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(
    self,
    seen: Latents,
    seen_occlusion: Array,
    predicted: Latents,
    predicted_occlusion: Array,
    train: bool,
    sample: Sample = True,
  ) -> tuple[Latents, Array, Array]:
    """Returns the mixture, the gates of positions and those of gestalts, each [B, K, 1].

    The occlusions are [B, K, 1] in [0, 1]. The draw is named "update_gate".
    """
    x = jnp.concatenate(
      [seen.packed(), seen_occlusion, predicted.packed(), predicted_occlusion], axis=-1
    )
    widths = (*(self.features,) * (self.layers - 1), 2)
    x = Mlp(widths, dtype=self.dtype, name="network")(x) + START
    if train:
      x = x + self.noise * draw_normal(self, sample, "update_gate", x.shape, x.dtype)
    gates = sparse_gate(x, self.opening_cost)
    of_position, of_gestalt = gates[..., :1], gates[..., 1:]

    def mix(gate, new, old):
      return gate * new + (1 - gate) * old

    mixture = Latents(
      position=mix(of_position, seen.position, predicted.position),
      gestalt=mix(of_gestalt, seen.gestalt, predicted.gestalt),
      priority=mix(of_gestalt, seen.priority, predicted.priority),
    )
    return mixture, of_position, of_gestalt
