"""A model that compiles in no time: a linear autoencoder with a constraint like GECO's."""

import copy
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from objectcentric_jax.input.generated import generated
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.training.devices import AXIS

SIDE = 8
WIDTH = 4


@dataclasses.dataclass(frozen=True)
class ToyTask:
  """Reconstructs images through `WIDTH` numbers.

  `noise` scales random draws in the loss. The schedule "level", where there is one, adds its
  logarithm, which is no number once the level is negative. Every loss that is traced is counted.
  """

  noise: float = 0.0
  axis_name: str | None = None
  traced: list = dataclasses.field(default_factory=list)

  @property
  def losses(self):
    return {"error": self.error, "size": self.size}

  def init(self, rng, batch):
    first, second = jax.random.split(rng)
    count = batch["image"][0].size
    params = {
      "encoder": {"kernel": 0.1 * jax.random.normal(first, (count, WIDTH))},
      "decoder": {"kernel": 0.1 * jax.random.normal(second, (WIDTH, count))},
    }
    return params, {"average": jnp.zeros(()), "updates": jnp.zeros((), jnp.int32)}

  def error(self, params, model_state, batch, now, rng):
    self.traced.append("error")
    flat = batch["image"].reshape(len(batch["image"]), -1)
    code = flat @ params["encoder"]["kernel"]
    code = code + self.noise * jax.random.normal(rng, code.shape)
    error = ((code @ params["decoder"]["kernel"] - flat) ** 2).mean()
    # A constraint that sees the error of the whole batch, as GECO does.
    everywhere = error if self.axis_name is None else lax.pmean(error, self.axis_name)
    average = 0.9 * model_state["average"] + 0.1 * lax.stop_gradient(everywhere)
    model_state = {"average": average, "updates": model_state["updates"] + 1}
    penalty = jnp.log(now["level"]) if "level" in now else jnp.zeros(())
    terms = {"reconstruction": error, "penalty": penalty, "elbo": error + penalty}
    return error * (1 + average) + penalty, (model_state, terms)

  def size(self, params, model_state, batch, now, rng):
    size = sum((leaf**2).mean() for leaf in jax.tree.leaves(params))
    return size, (model_state, {"squares": size})


def config(**train):
  """The smallest config that `fit` takes, with these fields of `config.train`."""
  settings = {
    "steps": 6,
    "updates": [{"loss": "error", "clip": 0.0, "groups": {"": {"name": "adam", "rate": 1e-2}}}],
    "schedules": {},
    "parallel": "jit",
    "prefetch": 2,
    "report_every": 1,
    "checkpoint_every": 2,
    "keep_checkpoints": 2,
    "evaluate_every": 0,
    "tensorboard": False,
    "headline": ["reconstruction"],
    "start_from": [],
  }
  unknown = set(train) - set(settings)
  assert not unknown, unknown
  return {
    "seed": 0,
    "task": "tests.training.toy",
    "model": {},
    "data": {"batch_size": 8},
    "train": copy.deepcopy(settings | train),
    "eval": {"best": "score", "headline": ["score"]},
  }


def batches(batch_size: int = 8):
  """Endless batches of 64 made-up images."""
  return train_batches(generated(SIDE, 2, "train"), batch_size, seed=0)


def batch(batch_size: int = 8):
  """One batch of made-up images."""
  return generated(SIDE, 2, "train").read(np.arange(batch_size))


def task(parallel: str = "jit", noise: float = 0.0) -> ToyTask:
  return ToyTask(noise, AXIS if parallel == "pmap" else None)


def assert_same(found, expected):
  """Two trees are equal to the bit, random keys included."""
  found, expected = jax.tree.map(as_numpy, found), jax.tree.map(as_numpy, expected)
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def as_numpy(leaf):
  leaf = jnp.asarray(leaf)
  return np.asarray(
    jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
  )
