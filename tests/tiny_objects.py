"""A segmenter with generated weights that compiles in no time: it tells colours apart.

It has the parts that an inner training needs: a hypernetwork from latents to the weights of one
pixel's colour, a backbone that mixes colours, and the two kinds of tasks.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from configs.object_pursuit import pursuit_generated
from objectcentric_jax.metrics.mask_overlap import object_mask
from objectcentric_jax.models.object_pursuit.forgetting import memory_term
from objectcentric_jax.models.object_pursuit.memory import (
  combined,
  empty_memory,
  initial_coefficients,
)

MODULE = "tests.tiny_objects"
UNUSED = "decoder-last_conv-8"


@dataclasses.dataclass(frozen=True)
class TinyTask:
  """See the module; `kind` as of the real task."""

  kind: str
  latent_size: int
  bases: int
  known: int
  memory_weight: float

  @property
  def losses(self):
    return {"segmentation": self.segmentation}

  def init(self, rng, batch):
    del batch
    first, second, third = jax.random.split(rng, 3)
    # As in the real one, a part of what is generated is not used.
    unused = {UNUSED: {"scale": {"kernel": jnp.ones((self.latent_size, 1))}}}
    params = {
      "hypernetwork": {"kernel": jax.random.normal(first, (self.latent_size, 4)), **unused},
      "backbone": {"colours": jax.random.normal(second, (3, 3))},
    }
    sizes = {"weights": 4, "scale": 1}
    shapes = {name: jax.ShapeDtypeStruct((n,), jnp.float32) for name, n in sizes.items()}
    memory = empty_memory(self.bases, self.latent_size, self.known, shapes)
    own = {
      "base": lambda: {"latent": jax.random.normal(third, (self.latent_size,))},
      "coefficients": lambda: {"coefficients": initial_coefficients(memory)},
    }
    statistics = {"batch_stats": {"backbone": {"mean": jnp.zeros(3)}}}
    return {**params, **own[self.kind]()}, {**statistics, "memory": memory}

  def generate(self, params, latents):
    network = params["hypernetwork"]
    return {
      "weights": latents @ network["kernel"],
      "scale": latents @ network[UNUSED]["scale"]["kernel"],
    }

  def segment(self, params, model_state, weights, image):
    del model_state
    mixed = jnp.einsum("bhwc,cd->bhwd", image - 0.5, params["backbone"]["colours"])
    return (
      jnp.einsum("bhwd,d->bhw", mixed, weights["weights"][:3])[..., None] + weights["weights"][3]
    )

  def latent(self, params, model_state, batch):
    del batch
    if self.kind == "base":
      return params["latent"]
    return combined(model_state["memory"], params["coefficients"])

  def segmentation(self, params, model_state, batch, now, rng):
    del now
    weights = self.generate(params, self.latent(params, model_state, batch)[None])
    weights = jax.tree.map(lambda x: x[0], weights)
    logits = self.segment(params, model_state, weights, batch["image"])
    mask = object_mask(batch)
    error = (nn.softplus(logits) - mask * logits).mean()
    if self.kind == "base" and self.known:
      moved = memory_term(lambda z: self.generate(params, z), model_state["memory"], rng)
      error += self.memory_weight * moved
    return error, (model_state, {"segmentation_error": error})


def make_task(config, axis_name=None):
  return TinyTask(
    **{name: config[name] for name in ("kind", "latent_size", "bases", "known", "memory_weight")}
  )


def config(**pursuit):
  """A pursuit of three of five made-up objects, with these fields of its section."""
  config = pursuit_generated.get_config("laptop")
  config.task = MODULE
  config.data.name = "generated"
  config.data.objects = 5
  config.data.side = 8
  config.data.batch_size = 4
  config.data.preprocess = ()
  config.eval.batch_size = 4
  config.model.latent_size = 3
  config.model.bases = 1
  config.model.known = 1
  config.train.checkpoint_every = 1
  config.pursuit.update(threshold=0.35, repeat_every=2, count=3, held_out=0.3)
  config.pursuit.update(pursuit)
  config.pursuit.learn.update(epochs=4, patience=2, rate=0.05, enough=1.0)
  for stage in ("express", "check", "simplify"):
    config.pursuit[stage].update(epochs=3, patience=2, rate=0.05, enough=1.0)
  return config
