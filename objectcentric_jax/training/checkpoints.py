"""Checkpoints: the last ones for resuming, the best one by a named metric, each with its config.

Written by orbax: asynchronous, and atomic, so that a run killed while writing resumes from the one
before. Workdir layout: `config.json`, `checkpoints/<step>`, `best/<step>`.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from objectcentric_jax.errors import InputError
from objectcentric_jax.training.devices import CARRY, is_carry
from objectcentric_jax.training.state import TrainState

CONFIG = "config.json"
LAST = "checkpoints"
BEST = "best"
SECTIONS = ("seed", "task", "model", "data", "train", "eval")  # of every config


class Checkpoints:
  """The two managers of a workdir.

  Args:
    workdir: folder of the run.
    config: resolved config, stored in every checkpoint.
    metric: name of the score that decides which checkpoint is best; larger is better unless the
      name starts with "-".
    keep: how many of the last checkpoints to keep.
  """

  def __init__(self, workdir: Path, config: Mapping[str, Any], metric: str, keep: int = 2):
    self.workdir, self.config, self.metric = workdir, config, metric
    options = ocp.CheckpointManagerOptions(max_to_keep=keep)
    self._last = ocp.CheckpointManager(_absolute(workdir) / LAST, options=options)
    best = ocp.CheckpointManagerOptions(
      max_to_keep=1,
      best_fn=lambda scores: scores[self.metric.lstrip("-")],
      best_mode="min" if metric.startswith("-") else "max",
    )
    self._best = ocp.CheckpointManager(_absolute(workdir) / BEST, options=best)

  def save(self, state: TrainState, iterator: Any, finished: bool = False):
    """Starts writing the state, the position of the data and whether the training has ended."""
    # A run resumed from here does not offer its best state again: that one must be on disk first.
    self._best.wait_until_finished()
    self._save(self._last, int(state.step), state, {"iterator": iterator, "finished": finished})

  def save_best(self, state: TrainState, scores: Mapping[str, float]):
    """Offers the state as the best one.

    Raises:
      InputError: the deciding metric is not among the scores.
    """
    name = self.metric.lstrip("-")
    if name not in scores:
      known = ", ".join(scores)
      raise InputError(
        f"config.eval.best is {self.metric!r}, which is not a score; use one of {known}"
      )
    scores = {key: float(value) for key, value in scores.items()}
    self._save(self._best, int(state.step), state, {"scores": scores}, scores)

  def _save(self, manager, step, state, notes, metrics=None):
    if step in manager.all_steps():  # seen before the run was killed; the same state again
      return
    arguments = ocp.args.Composite(
      state=ocp.args.StandardSave(state),
      notes=ocp.args.JsonSave(notes),
      config=ocp.args.JsonSave(dict(self.config)),
    )
    manager.save(step, args=arguments, metrics=metrics)

  def restore(self, like: TrainState) -> tuple[TrainState, dict[str, Any]] | None:
    """The last state, and `iterator` and `finished` as saved with it; None in a fresh workdir.

    `like` gives shapes and placement.

    Raises:
      InputError: the checkpoint belongs to another model; lists the names on either side.
    """
    step = self._last.latest_step()
    if step is None:
      return None
    model = {"params": like.params, "model_state": like.model_state}
    _check_names(self._last.directory / str(step), model)
    restored = self._last.restore(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardRestore(abstract(like)), notes=ocp.args.JsonRestore()
      ),
    )
    return restored["state"], restored["notes"]

  def wait(self):
    """Returns when everything is on disk."""
    self._last.wait_until_finished()
    self._best.wait_until_finished()

  def close(self):
    """Finishes writing and lets go."""
    self._last.close()
    self._best.close()


def abstract(tree: Any) -> Any:
  """Shapes, types and placement of a tree of arrays."""
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)


def restore_model(workdir: Path, like: Mapping[str, Any], best: bool = False) -> tuple[Any, int]:
  """Parameters and model state of a run, and the step they are from.

  Args:
    workdir: folder of the run.
    like: {"params": tree, "model_state": tree} of arrays or shapes with placement.
    best: the best checkpoint instead of the last one.

  Raises:
    InputError: there is no checkpoint, or it belongs to another model; lists the names on either
      side.
  """
  with _opened(workdir, best) as (manager, step):
    _check_names(_folder(workdir, best) / str(step), like)
    return _restore_partly(manager, step, like), step


def restore_parts(workdir: Path, best: bool = False) -> Any:
  """Parameters and model state of a run of any model, as {"params": ..., "model_state": ...}.

  Raises:
    InputError: there is no checkpoint.
  """
  with _opened(workdir, best) as (manager, step):
    stored = _stored(_folder(workdir, best) / str(step))
    like = {
      name: jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), stored[name])
      for name in ("params", "model_state")
    }
    return _restore_partly(manager, step, like)


def _folder(workdir: Path, best: bool) -> Path:
  return _absolute(workdir) / (BEST if best else LAST)


@contextlib.contextmanager
def _opened(workdir: Path, best: bool):
  """The manager of a run's checkpoints and the step of the chosen one."""
  folder = _folder(workdir, best)
  if not folder.is_dir():
    raise InputError(f"{folder} does not exist: nothing was trained or imported in this workdir")
  with ocp.CheckpointManager(folder) as manager:
    step = manager.latest_step()
    if step is None:
      raise InputError(f"{folder} holds no finished checkpoint")
    yield manager, step


def _restore_partly(manager: ocp.CheckpointManager, step: int, like: Mapping[str, Any]) -> Any:
  # Orbax takes an empty tree for a leaf, which does not fit a checkpoint that has more there.
  filled = {name: tree for name, tree in like.items() if jax.tree.leaves(tree)}
  arguments = ocp.checkpoint_utils.construct_restore_args(filled)
  restore = ocp.args.PyTreeRestore(filled, restore_args=arguments, partial_restore=True)
  return {**like, **manager.restore(step, args=ocp.args.Composite(state=restore))["state"]}


def _stored(folder: Path) -> Mapping[str, Any]:
  """What a checkpoint says of its state: a tree with shapes and types."""
  return ocp.PyTreeCheckpointHandler().metadata(folder / "state").tree


def _check_names(folder: Path, like: Mapping[str, Any]):
  stored = _stored(folder)
  carried = CARRY in like["model_state"]  # a model for use does without

  def leaves(tree):
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
      "/".join(str(getattr(k, "key", getattr(k, "name", k))) for k in path): tuple(leaf.shape)
      for path, leaf in flat
      if carried or not is_carry(path)
    }

  found = leaves({name: stored.get(name) for name in like})
  expected = leaves(dict(like))
  if found == expected:
    return
  extra = [f"{n} {found[n]}" for n in found if expected.get(n) != found[n]]
  lacking = [f"{n} {expected[n]}" for n in expected if expected[n] != found.get(n)]
  raise InputError(
    f"checkpoint {folder} is of another model: it has {_first(extra)}; "
    f"the config describes {_first(lacking)}"
  )


def _first(names: list[str], count: int = 5) -> str:
  more = f" and {len(names) - count} more" if len(names) > count else ""
  return (", ".join(names[:count]) or "nothing else") + more


def write_config(workdir: Path, config: Mapping[str, Any]):
  """Writes config.json, or checks that the one there says the same.

  Raises:
    InputError: the workdir belongs to a run with another config; names the fields that differ.
  """
  path = workdir / CONFIG
  if path.exists():
    differences = _differences(read_config(workdir), json.loads(json.dumps(config)))
    if differences:
      raise InputError(
        f"{workdir} holds a run with another config ({'; '.join(differences)}); "
        "choose another --workdir, or the same config to resume"
      )
    return
  workdir.mkdir(parents=True, exist_ok=True)
  temporary = workdir / f".{CONFIG}.{os.getpid()}"
  temporary.write_text(json.dumps(config, indent=2))
  temporary.rename(path)


def read_config(workdir: Path) -> dict[str, Any]:
  """The resolved config of a run.

  Raises:
    InputError: the folder is not a workdir, or its config cannot be read.
  """
  path = workdir / CONFIG
  try:
    config = json.loads(path.read_text())
  except (FileNotFoundError, NotADirectoryError):
    raise InputError(f"{workdir} is not a workdir: it has no {CONFIG}") from None
  except ValueError as error:
    raise InputError(f"{path} is damaged ({error})") from None
  lacking = [s for s in SECTIONS if s not in config] if isinstance(config, dict) else SECTIONS
  if lacking:
    raise InputError(f"{path} is damaged (it lacks {', '.join(lacking)})")
  return config


def _differences(old: Any, new: Any, path: str = "config") -> list[str]:
  if isinstance(old, dict) and isinstance(new, dict):
    names = list(old) + [name for name in new if name not in old]
    parts = (_differences(old.get(n), new.get(n), f"{path}.{n}") for n in names)
    return [difference for part in parts for difference in part]
  return [] if old == new else [f"{path} was {old!r}, now {new!r}"]


def _absolute(workdir: Path) -> Path:
  return Path(os.path.abspath(workdir))
