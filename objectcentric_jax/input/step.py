"""What every step of preprocessing offers."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

Arrays = Mapping[str, np.ndarray]
Rng = np.random.Generator


class Step:
  """Changes the arrays of an example; a frozen dataclass whose fields are what a config gives.

  Attributes:
    random: whether training draws.
    batched: whether, without drawing, it takes a stacked batch as well as one example.
    window: whether it leaves a window of a picture, as large as it is in there.
  """

  random: ClassVar[bool] = False
  batched: ClassVar[bool] = True
  window: ClassVar[bool] = False

  def with_side(self, side: int) -> "Step":
    """The step with `config.data.side` in place of a side that was not given."""
    if getattr(self, "side", None) == 0:
      if not side:
        raise ValueError("a side is needed, here or as config.data.side")
      return dataclasses.replace(self, side=side)
    return self

  def adapted(self, about: Mapping[str, Any]) -> tuple["Step", Mapping[str, Any]]:
    """The step as this set needs it, and how the set is described behind it."""
    return self, about

  def variants(self) -> tuple["Step", ...]:
    """Steps of which each makes an example of its own."""
    return (self,)

  def __call__(self, arrays: Arrays, rng: Rng | None) -> Arrays:
    """The changed arrays.

    Args:
      arrays: by field.
      rng: of this example in training; None in evaluation, which is always the same.

    Raises:
      ValueError: what is wrong, where the arrays cannot be used.
    """
    raise NotImplementedError
