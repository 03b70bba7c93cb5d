"""Updates: which loss moves which parameters, with which optimiser.

From `config.train.updates`, a tuple of dicts:

  loss    name of one of the task's losses
  clip    largest global norm of the gradients that this update applies; 0 for none
  groups  pattern of parameter paths -> optimiser; every parameter matches exactly one
  when    name of a schedule: the update is left out in the steps where it is not above 0; may be
          missing, for every step

An optimiser is a dict with `name`, `rate` (a number, or a schedule) and its constants. With
`clip_value` each element of the gradients is kept between minus and plus that first.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from objectcentric_jax.errors import InputError, check_fields, closest
from objectcentric_jax.training.schedules import make_schedule

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Update:
  """A named loss and what its gradients do.

  Attributes:
    loss: its name.
    transformation: of the gradients over the whole parameter tree.
    frozen: patterns of the parameters that it leaves as they are.
    when: the schedule that says in which steps it is made; None for all.
  """

  loss: str
  transformation: optax.GradientTransformation
  frozen: tuple[str, ...] = ()
  when: str | None = None

  def applied(self, gradients: Any) -> Any:
    """The gradients, with zeros for the parameters that the update leaves as they are.

    Norms of these neither count what is not applied nor keep its backward pass alive.
    """

    def keep(path, gradient):
      is_frozen = any(re.search(pattern, path) for pattern in self.frozen)
      return jnp.zeros_like(gradient) if is_frozen else gradient

    return jax.tree.map(keep, parameter_paths(gradients), gradients)


def rmsprop(
  rate,
  decay: float = 0.99,
  epsilon: float = 1e-8,
  momentum: float = 0.0,
  weight_decay: float = 0.0,
):
  """RMSprop as in PyTorch: epsilon outside the root, accumulator from zero, not centred.

  The decay of weights is part of the gradient, and the rate comes after the momentum.
  """

  def init(params):
    return jax.tree.map(jnp.zeros_like, params)

  def update(gradients, squares, params=None):
    del params
    squares = jax.tree.map(lambda g, s: decay * s + (1 - decay) * g**2, gradients, squares)
    scaled = jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + epsilon), gradients, squares)
    return scaled, squares

  return optax.chain(
    *([optax.add_decayed_weights(weight_decay)] if weight_decay else []),
    optax.GradientTransformation(init, update),
    *([optax.trace(momentum)] if momentum else []),
    optax.scale_by_learning_rate(rate),
  )


def adam(rate, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8):
  """Adam (Kingma and Ba, 2015)."""
  return optax.adam(rate, beta1, beta2, epsilon)


def sgd(rate, momentum: float = 0.0):
  """Gradient descent; with momentum, PyTorch's form (the velocity takes the whole gradient)."""
  return optax.sgd(rate, momentum or None)


def muon(rate, momentum: float = 0.95, iterations: int = 5):
  """Momentum with orthogonal steps (Muon; Jordan et al., 2024), for kernels of layers alone.

  A kernel is taken as a matrix from all its axes but the last to the last. Every direction in it
  moves by about the rate, whatever the gradient's size along it.
  """

  def matrices(params):
    of = optax.contrib.MuonDimensionNumbers
    return jax.tree.map(lambda p: of(tuple(range(p.ndim - 1)), p.ndim - 1), params)

  steps = optax.contrib.scale_by_muon(
    beta=momentum, ns_steps=iterations, weight_dimension_numbers=matrices
  )
  return optax.chain(steps, optax.scale_by_learning_rate(rate))


class RangerState(NamedTuple):
  """Of `ranger`, over P numbers in L parameter arrays.

  Attributes:
    steps: scalar, all steps.
    counts: [L] steps in which the array had a gradient.
    has_slow: [L] whether it has slow weights.
    means, squares: [P] running moments of the gradient.
    slow: [P] slow weights; of no meaning before there are any.
  """

  steps: Array
  counts: Array
  has_slow: Array
  means: Array
  squares: Array
  slow: Array


def ranger(
  rate,
  weight_decay: float = 0.0,
  beta1: float = 0.9,
  beta2: float = 0.999,
  epsilon: float = 1e-16,
  period: int = 6,
  share: float = 0.5,
):
  """Rectified Adam (Liu et al., 2020) with Lookahead (Zhang et al., 2019) and decoupled decay.

  As in CognitiveModeling/Loci-Segmented, which optax's parts are not: nothing moves while the
  rectification is not defined, moments stand uncorrected beside `epsilon`, and an array without a
  gradient is left out: it neither decays nor counts a step. Here that is one whose gradient is zero
  in every entry. Slow weights begin when they are first met, at every `period`-th step.

  All arrays are moved as one long vector: hundreds of small programs would take long to compile.
  """
  step_sizes = jnp.asarray(_rectified_step_sizes(beta1, beta2), jnp.float32)

  def init(params):
    leaves = jax.tree.leaves(params)
    zeros = jnp.zeros_like(_flat(leaves))
    counts = jnp.zeros(len(leaves), jnp.int32)
    return RangerState(jnp.zeros((), jnp.int32), counts, counts > 0, zeros, zeros, zeros)

  def update(gradients, state, params):
    steps = state.steps + 1
    now = rate(state.steps) if callable(rate) else rate
    leaves, tree = jax.tree.flatten(gradients)
    sizes = [leaf.size for leaf in leaves]
    gradient, param = _flat(leaves), _flat(jax.tree.leaves(params))
    present = jnp.stack([(leaf != 0).any() for leaf in leaves])
    counts = state.counts + present
    size = step_sizes[jnp.minimum(counts, len(step_sizes) - 1)].astype(param.dtype)
    meets = present & (steps % period == 0)
    size = _spread(size, sizes)
    flags = _spread(present + 2 * meets + 4 * state.has_slow, sizes)
    is_present, is_met, has_slow = (flags & 1 > 0, flags & 2 > 0, flags & 4 > 0)
    mean = jnp.where(is_present, beta1 * state.means + (1 - beta1) * gradient, state.means)
    square = beta2 * state.squares + (1 - beta2) * gradient**2
    square = jnp.where(is_present, square, state.squares)
    moved = now * size * mean / (jnp.sqrt(square) + epsilon)
    fast = jnp.where(is_present & (size > 0), param - weight_decay * now * param - moved, param)
    met = jnp.where(has_slow, state.slow + share * (fast - state.slow), fast)
    deltas = jnp.split(jnp.where(is_met, met, fast) - param, np.cumsum(sizes)[:-1])
    shaped = [delta.reshape(leaf.shape) for delta, leaf in zip(deltas, leaves, strict=True)]
    slow = jnp.where(is_met, met, state.slow)
    state = RangerState(steps, counts, state.has_slow | meets, mean, square, slow)
    return jax.tree.unflatten(tree, shaped), state

  return optax.GradientTransformation(init, update)


def _flat(leaves: Sequence[Array]) -> Array:
  return jnp.concatenate([leaf.reshape(-1) for leaf in leaves])


def _spread(values: Array, sizes: Sequence[int]) -> Array:
  """Each of [L] numbers as often as its array has entries: [P]."""
  return jnp.concatenate([jnp.broadcast_to(v, n) for v, n in zip(values, sizes, strict=True)])


def _rectified_step_sizes(beta1: float, beta2: float) -> np.ndarray:
  """By the number of steps: what multiplies rate and moments; 0 where nothing moves yet.

  In float64, since small differences of large numbers decide about the first ones; the last is the
  limit.
  """
  steps = np.arange(1, math.ceil(math.log(1e-9) / math.log(beta2)))
  limit = 2 / (1 - beta2) - 1
  power = beta2**steps
  length = limit - 2 * steps * power / (1 - power)
  defined = length >= 5
  length = np.where(defined, length, 5.0)
  variance = (length - 4) / (limit - 4) * (length - 2) / length * limit / (limit - 2)
  sizes = np.sqrt((1 - power) * variance) / (1 - beta1**steps)
  return np.concatenate([[0.0], np.where(defined, sizes, 0.0)])


OPTIMIZERS = {"adam": adam, "muon": muon, "ranger": ranger, "rmsprop": rmsprop, "sgd": sgd}
FROZEN = "frozen"  # name of the optimiser that leaves parameters as they are


def make_optimizer(config: Mapping[str, Any]) -> optax.GradientTransformation:
  """The optimiser described by a dict of `name`, `rate` and constants.

  Raises:
    InputError: unknown name or constant.
  """
  settings = dict(config)
  name = settings.pop("name", None)
  if name == FROZEN:
    return optax.set_to_zero()
  if name not in OPTIMIZERS:
    known = ", ".join((*OPTIMIZERS, FROZEN))
    raise InputError(f"config.train.updates: optimiser {name!r} is unknown; choose one of {known}")
  rate = settings.pop("rate", None)
  if rate is None:
    raise InputError(f"config.train.updates: optimiser {name} needs a rate")
  if isinstance(rate, Mapping):
    rate = make_schedule("rate", rate)
  limit = settings.pop("clip_value", 0.0)
  try:
    optimizer = OPTIMIZERS[name](rate, **settings)
  except TypeError as error:
    raise InputError(f"config.train.updates: optimiser {name}: {error}") from None
  return optax.chain(optax.clip(limit), optimizer) if limit else optimizer


def parameter_paths(params: Any) -> Any:
  """Tree like `params` holding each parameter's path, such as "encoder/conv/kernel"."""

  def path(keys, _):
    return "/".join(str(getattr(key, "key", key)) for key in keys)

  return jax.tree_util.tree_map_with_path(path, params)


def parameter_groups(patterns: Sequence[str], params: Any) -> Any:
  """Tree like `params` holding the one pattern that each parameter's path matches.

  Raises:
    InputError: a parameter matches none or several patterns, or a pattern matches nothing.
  """
  used = set()

  def group(path):
    matches = [pattern for pattern in patterns if re.search(pattern, path)]
    if len(matches) != 1:
      found = " and ".join(matches) or "none"
      raise InputError(f"config.train.updates: parameter {path} must match one group, not {found}")
    used.update(matches)
    return matches[0]

  groups = jax.tree.map(group, parameter_paths(params))
  for pattern in patterns:
    if pattern not in used:
      raise InputError(f"config.train.updates: group {pattern!r} matches no parameter")
  return groups


def make_updates(configs: Sequence[Mapping[str, Any]], losses: Sequence[str]) -> tuple[Update, ...]:
  """Updates from `config.train.updates`.

  Raises:
    InputError: unknown loss, optimiser or constant.
  """
  if not configs:
    raise InputError("config.train.updates is empty: nothing would be trained")
  updates = []
  for i, config in enumerate(configs):
    fields = [name for name in config if name != "when"]
    check_fields(f"config.train.updates[{i}]", fields, ("loss", "clip", "groups"))
    loss = config["loss"]
    if loss not in losses:
      hint = closest(loss, losses) or f"; it has {', '.join(losses)}"
      raise InputError(f"config.train.updates: the model has no loss {loss!r}{hint}")
    groups = {pattern: make_optimizer(group) for pattern, group in config["groups"].items()}
    moves = optax.partition(groups, lambda params, g=tuple(groups): parameter_groups(g, params))
    clip = optax.clip_by_global_norm(config["clip"]) if config["clip"] else optax.identity()
    frozen = tuple(p for p, group in config["groups"].items() if group["name"] == FROZEN)
    updates.append(Update(loss, optax.chain(clip, moves), frozen, config.get("when")))
  return tuple(updates)
