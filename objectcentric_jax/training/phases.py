"""Trainings that start from parts of earlier ones: stages of a pipeline, pretrained encoders.

From `config.train.start_from`, a tuple of dicts:

  workdir  folder of the earlier run
  best     its best checkpoint instead of its last one
  parts    prefix of paths here -> prefix of paths there, such as
           {"params/encoder/": "params/stage/encoder/"}; "params/" and "model_state/" are the roots
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.training.checkpoints import restore_parts
from objectcentric_jax.training.optimizers import parameter_paths
from objectcentric_jax.training.state import TrainState


def start_from(state: TrainState, sources: Sequence[Mapping[str, Any]]) -> TrainState:
  """The state with the parts that earlier runs give; its optimisers stay as they are.

  Args:
    state: as initialised.
    sources: see above.

  Raises:
    InputError: a run has no checkpoint, a part is empty on one side, or a name or shape in it is
      on one side only; all such are listed.
  """
  for i, source in enumerate(sources):
    check_fields(f"config.train.start_from[{i}]", source, ("workdir", "best", "parts"))
    model = {"params": state.params, "model_state": state.model_state}
    model = _with_parts(model, source, f"config.train.start_from[{i}]")
    state = state.replace(**model)
  return state


def _with_parts(model: Any, source: Mapping[str, Any], where: str) -> Any:
  workdir = Path(source["workdir"])
  stored = _by_path(restore_parts(workdir, source["best"]))
  paths = parameter_paths(model)
  known, new = _by_path(model), {}
  for ours, theirs in source["parts"].items():
    wanted = {path.removeprefix(ours): path for path in known if path.startswith(ours)}
    offered = {path.removeprefix(theirs): path for path in stored if path.startswith(theirs)}
    for prefix, found, of in ((ours, wanted, "the model"), (theirs, offered, str(workdir))):
      if not found:
        raise InputError(
          f"{where}.parts: no path of {of} starts with {prefix!r}; there are "
          f"{', '.join(_roots(stored if of == str(workdir) else known))}"
        )
    wrong = sorted(wanted.keys() ^ offered.keys())
    wrong += [
      name
      for name in sorted(wanted.keys() & offered.keys())
      if np.shape(known[wanted[name]]) != np.shape(stored[offered[name]])
    ]
    if wrong:
      raise InputError(
        f"{where}.parts: {ours!r} of the model and {theirs!r} of {workdir} differ in names or "
        f"shapes: {', '.join(wrong[:8])}{' ...' if len(wrong) > 8 else ''}"
      )
    new |= {path: stored[offered[name]] for name, path in wanted.items()}

  def chosen(path, leaf):
    return jax.device_put(np.asarray(new[path], leaf.dtype), leaf.sharding) if path in new else leaf

  return jax.tree.map(chosen, paths, model)


def _roots(paths: Iterable[str]) -> list[str]:
  """The first two levels of paths."""
  return sorted({"/".join(path.split("/")[:2]) for path in paths})


def _by_path(tree: Any) -> dict[str, Any]:
  paths, leaves = jax.tree.leaves(parameter_paths(tree)), jax.tree.leaves(tree)
  return dict(zip(paths, leaves, strict=True))
