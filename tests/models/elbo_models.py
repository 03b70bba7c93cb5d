"""What the tests of the models trained on an evidence lower bound share."""

import jax
import numpy as np

from tests.parameters import random_parameters

KEY = jax.random.key(0)
GECO = {
  "use": True,
  "goal": 0.5655,
  "rate": 1e-5,
  "decay": 0.99,
  "start": 1.5,
  "minimum": 1e-10,
  "speedup": 10.0,
}


def shapes_of(task, side: int):
  """Shapes of the parameters and of the model state."""
  image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
  return jax.eval_shape(task.init, KEY, {"image": image})


def count_parameters(task, side: int) -> int:
  return sum(leaf.size for leaf in jax.tree.leaves(shapes_of(task, side)[0]))


def random_model(task, side: int):
  """Parameters, and a model state with running statistics that are neither zero nor one."""
  params, model_state = shapes_of(task, side)
  rng, state = np.random.default_rng(1), {}
  if "batch_stats" in model_state:
    draws = {
      "mean": lambda s: 0.3 * rng.standard_normal(s),
      "variance": lambda s: rng.uniform(1, 2, s),
    }
    state["batch_stats"] = jax.tree_util.tree_map_with_path(
      lambda path, leaf: draws[path[-1].key](leaf.shape).astype(np.float32),
      model_state["batch_stats"],
    )
  if "geco" in model_state:
    geco = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), model_state["geco"])
    state["geco"] = geco.replace(multiplier=np.asarray(task.geco["start"], np.float32))
  return random_parameters(params), state


def rectangles(batch: int, side: int) -> np.ndarray:
  """Rectangles of one colour each on a plain background, [B, side, side, 3]."""
  rng, eighth = np.random.default_rng(0), side // 8
  image = np.ones((batch, side, side, 3), np.float32) * rng.uniform(size=(batch, 1, 1, 3))
  image[:, eighth : 3 * eighth, eighth : 5 * eighth] = rng.uniform(size=(batch, 1, 1, 3))
  image[:, 4 * eighth : 7 * eighth, 3 * eighth : 7 * eighth] = rng.uniform(size=(batch, 1, 1, 3))
  return image.astype(np.float32)


def explain(task):
  """Compiled (params, model state, image, draws) -> (posterior, terms per image, scene)."""

  def function(params, model_state, image, given):
    posterior = task.posterior(params, model_state, image, KEY, given)
    batch = {"image": image}
    terms = task.terms(params, model_state, batch, KEY, given)
    return posterior, terms, task.scene(params, model_state, batch, KEY, given)

  return jax.jit(function)


def in_double(tree):
  """The tree in float64."""

  def convert(x):
    x = np.asarray(x)
    return x.astype(np.float64) if np.issubdtype(x.dtype, np.floating) else x

  return jax.tree.map(convert, tree)


def types_of_samples(task, model):
  """Number types of scenes drawn at the prior means, with parameters in float64."""
  with jax.enable_x64(True):
    variables = task.variables(*in_double(model))
    drawn = jax.eval_shape(lambda v: task.network.apply(v, 2, {}, method="generate"), variables)
  return {leaf.dtype for leaf in jax.tree.leaves(drawn)}


def assert_close(found, expected, tolerance: float = 1e-5):
  """Every array of two trees, relative to the largest magnitude."""
  for (path, a), b in zip(
    jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True
  ):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape, jax.tree_util.keystr(path)
    largest = max(np.abs(b).max(), 1e-30)
    assert np.abs(a - b).max() <= tolerance * largest, jax.tree_util.keystr(path)
