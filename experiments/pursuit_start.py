"""What is known before the first arrival: networks and bases of earlier trainings, or nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from experiments import build
from experiments.inner_trainings import InnerTrainings, networks_of
from objectcentric_jax.checkpoint_import.object_pursuit import read_latents
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit.memory import empty_memory
from objectcentric_jax.models.object_pursuit.pursuit import Knowledge, give
from objectcentric_jax.models.object_pursuit.store import KNOWLEDGE, Store
from objectcentric_jax.training.checkpoints import CONFIG, restore_parts
from objectcentric_jax.training.optimizers import parameter_paths
from objectcentric_jax.training.task import Task


def nothing_known(
  config: ml_collections.ConfigDict, task: Task, initialised: bool = True
) -> Knowledge:
  """Networks as they are initialised, or of zeros as a template, and a memory with room."""
  batch, key = build.example_batch(config), jax.random.key(config.seed)
  batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), batch)
  if initialised:
    params, model_state = jax.jit(task.init)(key, batch)
  else:
    shapes = jax.eval_shape(task.init, key, batch)
    params, model_state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  size = config.model.latent_size
  shapes = jax.eval_shape(task.generate, params, jnp.zeros((1, size)))
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), shapes)
  memory = empty_memory(config.model.bases, size, config.model.known, shapes)
  return Knowledge(memory, networks_of(params, model_state))


def start(config: ml_collections.ConfigDict, trainings: InnerTrainings) -> Knowledge:
  """What the section `pursuit` of a config says is there at the start.

  Raises:
    InputError: something named there cannot be read, or does not fit the networks of the config.
  """
  settings, knowledge = config.pursuit, nothing_known(config, trainings.task)
  params, model_state = (dict(knowledge.networks[name]) for name in ("params", "model_state"))
  if settings.hypernetwork:
    found = model_of(settings.hypernetwork, knowledge)["params"]
    where = f"config.pursuit.hypernetwork {settings.hypernetwork!r}"
    params["hypernetwork"] = part_of(found, "hypernetwork", params, where)
  if settings.backbone:
    found = model_of(settings.backbone, knowledge)
    where, stored = f"config.pursuit.backbone {settings.backbone!r}", found["model_state"]
    params["backbone"] = part_of(found["params"], "backbone", params, where)
    model_state["batch_stats"] = part_of(stored, "batch_stats", model_state, where)
  networks = {"params": params, "model_state": model_state}
  knowledge = Knowledge(knowledge.memory, networks, backbone_fixed=bool(settings.backbone))
  if not settings.bases and not settings.objects:
    return knowledge
  bases, objects = (
    latents_of(settings[field], f"config.pursuit.{field} {settings[field]!r}", field, knowledge)
    if settings[field]
    else None
    for field in ("bases", "objects")
  )
  bases = () if bases is None else bases
  return give(knowledge, trainings, bases, objects)


def model_of(workdir: str, like: Knowledge) -> Mapping[str, Any]:
  """`params` and `model_state` of a training, an import or a pursuit."""
  if (Path(workdir) / KNOWLEDGE).is_dir():
    return _pursued(workdir, like).networks
  return restore_parts(Path(workdir))


def part_of(found: Mapping, name: str, like: Mapping, where: str) -> Any:
  """A part of a model, in the shapes that the config leads to; `where` it is from, for messages.

  Raises:
    InputError: it is not there, or has other shapes.
  """
  if name not in like:
    raise InputError(f"{where}: config.model.generated leaves no {name} to be given")
  if name not in found:
    raise InputError(f"{where} has no {name}; it has {', '.join(sorted(found)) or 'nothing'}")
  known, stored = _shapes(like[name]), _shapes(found[name])
  wrong = [path for path in {**known, **stored} if known.get(path) != stored.get(path)]
  if wrong:
    path = wrong[0]
    raise InputError(
      f"{where}: {name}/{path} is {stored.get(path, 'not there')}, but the config describes "
      f"{known.get(path, 'none')}; {len(wrong)} differ"
    )
  leaves = jax.tree.leaves(found[name])
  structure = jax.tree.structure(like[name])
  return jax.tree.unflatten(structure, [jnp.asarray(np.asarray(leaf)) for leaf in leaves])


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
  paths, leaves = jax.tree.leaves(parameter_paths(tree)), jax.tree.leaves(tree)
  return {path: tuple(leaf.shape) for path, leaf in zip(paths, leaves, strict=True)}


def latents_of(place: str, where: str, field: str, like: Knowledge) -> np.ndarray:
  """Latents [n, D] of a joint training, a pursuit, or published files.

  Args:
    place: workdir, or file or folder of published latents.
    where: what messages call it.
    field: "bases", or "objects" for all that a pursuit knows.
    like: knowledge of the same networks.

  Raises:
    InputError: there are none, or of another size.
  """
  path = Path(place)
  if not path.exists():
    raise InputError(f"{where} does not exist")
  if (path / KNOWLEDGE).is_dir():
    memory = _pursued(place, like).memory
    rows, count = (
      (memory.bases, memory.count) if field == "bases" else (memory.latents, memory.known)
    )
    latents = np.asarray(rows)[: int(count)]
  elif (path / CONFIG).exists():
    params = restore_parts(path)["params"]
    if "latents" not in params:
      raise InputError(f"{where} is no joint training: it has {', '.join(sorted(params))}")
    latents = np.asarray(params["latents"])
  else:
    latents = read_latents(path)
  size = like.memory.bases.shape[1]
  if latents.shape[1] != size:
    raise InputError(
      f"{where} has latents of {latents.shape[1]} numbers, but config.model.latent_size is {size}"
    )
  return latents


def _pursued(workdir: str, like: Knowledge) -> Knowledge:
  store = Store(Path(workdir), 0.0)
  try:
    found = store.restore(like)
  finally:
    store.close()
  if found is None:
    raise InputError(f"{workdir} holds no pursuit")
  return found[0]
