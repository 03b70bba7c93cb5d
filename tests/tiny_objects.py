"""Objects of one colour each, and a segmenter with generated weights that compiles in no time.

It has the parts that an inner training needs: a hypernetwork from latents to the weights of one
pixel's colour, a backbone that mixes colours, and the two kinds of tasks.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from configs.object_pursuit import pursuit_generated
from objectcentric_jax.input.arrays import ArrayExamples, SelectedExamples
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

  def segment(self, params, model_state, weights, image, rng):
    del model_state, rng
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
    logits = self.segment(params, model_state, weights, batch["image"], rng)
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


SIDE, VIEWS = 12, 60
COLOURS = {
  "a red": (1, 0, 0),
  "b green": (0, 1, 0),
  "c blue": (0, 0, 1),
  "d yellow": (1, 1, 0),
  "e cyan": (0, 1, 1),
  "f magenta": (1, 0, 1),
}
NONSENSE = "g nonsense"  # masks of other views


def draw(name: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
  """A view: squares of two other colours on grey, and before them that of the object."""
  image = np.empty((SIDE, SIDE, 3))
  image[:] = rng.uniform(0.3, 0.7) + rng.normal(0, 0.05, (SIDE, SIDE, 1))
  ids = np.zeros((SIDE, SIDE, 1), np.uint8)
  others = [other for other in COLOURS if other != name]
  for shown in [*rng.choice(others, 2, replace=False), name]:
    top, left = rng.integers(0, SIDE - 5, 2)
    place = np.s_[top : top + rng.integers(4, 6), left : left + rng.integers(4, 6)]
    image[place] = np.clip(COLOURS.get(shown, (0.5, 0.5, 0.5)) + rng.normal(0, 0.08, 3), 0, 1)
    ids[place] = shown == name
  return (255 * np.clip(image, 0, 1)).astype(np.uint8), ids


def objects(*_, **__) -> dict[str, SelectedExamples]:
  """Views of all objects by name, instead of `open_objects`."""
  found = {}
  for name in (*COLOURS, NONSENSE):
    rng = np.random.default_rng(list(name.encode()))
    images, ids = map(np.stack, zip(*(draw(name, rng) for _ in range(VIEWS)), strict=True))
    ids = rng.permutation(ids) if name == NONSENSE else ids
    views = ArrayExamples({"image": images, "segmentation": ids}, {"name": name, "split": "train"})
    found[name] = SelectedExamples(views, np.arange(VIEWS))
  return found


def config(**pursuit):
  """A pursuit of the first four objects, with these fields of its section."""
  config = pursuit_generated.get_config("laptop")
  config.task = MODULE
  config.data.name = "generated"
  config.data.side = SIDE
  config.data.batch_size = 7
  config.data.preprocess = ()
  config.eval.batch_size = 9
  config.model.latent_size = 4
  config.model.bases = 1
  config.model.known = 1
  config.train.checkpoint_every = 3
  config.pursuit.update(order="sorted", repeat_every=2, count=4, threshold=0.5, held_out=0.3)
  config.pursuit.update(pursuit)
  config.pursuit.learn.update(epochs=12, patience=8, rate=0.1, memory=0.1, enough=0.8)
  for stage in ("express", "check", "simplify"):
    config.pursuit[stage].update(epochs=5, patience=3, rate=0.1, penalty=0.0, enough=0.8)
  return config
