"""Damaged raw files: how a reader reports one, and how a build goes on without it.

Nothing but the standard library and this package's errors, so that worker processes start quickly.
"""

import os
from collections.abc import Callable
from typing import Any

from objectcentric_jax.errors import InputError


class Damaged(InputError):
  """A raw file, or an example in one, that cannot be used; `--skip-damaged` leaves it out.

  Attributes:
    path: the file.
    reason: what is wrong with it, as the end of a sentence that begins with the file.
  """

  def __init__(self, path: str | os.PathLike, reason: str):
    super().__init__(path, reason)  # both, so that the error survives being pickled
    self.path, self.reason = path, " ".join(reason.split())

  def __str__(self):
    return f"{self.path} {self.reason}; replace it, or leave such files out with --skip-damaged"


class Attempt:
  """A function whose `Damaged` errors are results, so that worker processes hand them over."""

  def __init__(self, function: Callable[[Any], Any]):
    self.function = function

  def __call__(self, item: Any) -> tuple[Any, Damaged | None]:
    """(function(item), None), or (None, what is damaged)."""
    try:
      return self.function(item), None
    except Damaged as damaged:
      return None, damaged
