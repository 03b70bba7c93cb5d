"""Parameters for tests, without compiling an initialisation."""

import flax.traverse_util
import jax
import numpy as np


def random_parameters(shapes, seed: int = 0):
  """Float32 parameters of these shapes: as large as initial ones, none at zero or one."""
  rng, filled = np.random.default_rng(seed), {}
  for path, leaf in flax.traverse_util.flatten_dict(jax.device_get(shapes)).items():
    noise = rng.standard_normal(leaf.shape)
    if path[-1] in ("kernel", "input_kernel", "hidden_kernel"):
      value = noise / np.sqrt(np.prod(leaf.shape[:-1]))
    else:
      value = 0.1 * noise + (path[-1] == "scale")
    filled[path] = np.asarray(value, np.float32)
  return flax.traverse_util.unflatten_dict(filled)
