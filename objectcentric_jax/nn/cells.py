"""Reading objects off the cells of a grid, as SPACE and SCALOR do."""

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.nn.activations import tanh

Array = jax.Array

LARGEST_LOGIT = 8.8  # of the presence of an object


def presence_logits(raw: Array, largest: float = LARGEST_LOGIT) -> Array:
  """Logits between -largest and largest."""
  return largest * tanh(raw)


def cell_centres(shift: Array, grid: int) -> Array:
  """Where objects are that are shifted within one cell of the middle of their own.

  Args:
    shift: [B, G^2, 2] before it is squashed, x first; cells row by row.
    grid: G.

  Returns:
    [B, G^2, 2] in the units of the boxes of `objectcentric_jax.nn.glimpses`.
  """
  rows, columns = np.divmod(np.arange(grid**2), grid)
  cell = jnp.asarray(np.stack([columns, rows], axis=-1)[None], shift.dtype)
  return (2 / grid) * (cell + 0.5 + tanh(shift)) - 1
