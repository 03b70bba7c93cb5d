"""How a model computes: number format and loop form, from config fields."""

import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError


def compute_dtype(name: str) -> jnp.dtype | None:
  """Flax compute type of `config.model.dtype`.

  "float32" gives None: layers compute in the common type of input and parameters, which is float32
  in training and float64 when both are.

  Raises:
    InputError: the name is neither "float32" nor "bfloat16".
  """
  if name not in ("float32", "bfloat16"):
    raise InputError(f"config.model.dtype is {name!r}: choose float32 or bfloat16")
  return jnp.bfloat16 if name == "bfloat16" else None


def unroll_length(setting: int, length: int) -> int:
  """Steps of a loop to unroll: the setting, or with 0 all on the CPU and none on accelerators.

  Compiled loops are slower than straight code on the CPU; elsewhere they save compile time.
  """
  if setting:
    return setting
  return max(length, 1) if jax.default_backend() == "cpu" else 1
