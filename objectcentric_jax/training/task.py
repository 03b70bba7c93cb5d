"""Task: one model with one kind of batch, as pure functions."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax

from objectcentric_jax.scene import Scene

Array = jax.Array
Batch = Mapping[str, Array]
Params = Any
ModelState = dict[str, Any]


class LossFn(Protocol):
  """A named loss: the batch mean to minimise, the next model state, and scalars to log.

  Args:
    params: the whole parameter tree.
    model_state: what changes in training besides parameters (batch statistics, multipliers,
      recurrent carry). A value that a loss changes goes out through the result.
    batch: see `objectcentric_jax.batch`.
    now: the schedules' values this step, by name.
    rng: key for this loss in this step.
  """

  def __call__(
    self,
    params: Params,
    model_state: ModelState,
    batch: Batch,
    now: Mapping[str, Array],
    rng: Array,
  ) -> tuple[Array, tuple[ModelState, dict[str, Array]]]: ...


class Task(Protocol):
  """What the train step, the evaluator and the pictures need of a model. Holds no state.

  A task may also offer, where its model has more to say than others:

    metrics: tuple of scores of its own, as `objectcentric_jax.evaluation.Evaluator` takes them.
    panels: pictures of its own by name, each (params, model_state, batch, rng) -> {row: pictures
      [B, H, W, C] or [B, T or K, H, W, C] in [0, 1]}, which `experiments.visualise` draws.
    whole_batches: True where what it says of an example depends on the others of the batch, as with
      batch normalisation by the batch's statistics: it is then never given one example at a time.
    scores: (params, model_state, batch, rng) -> {name: values [B]}, scores that need more than a
      scene; their means are taken.
    check_ready: () raises InputError where something is missing that a new training needs, such as
      a file of pretrained weights.

  What a model carries from one batch to the next is `model_state["carry"]`: a tree of arrays that
  start with the batch axis. `init` makes it for the batch it is given; it must be begun anew in
  the rows where `batch["time"]` is 0. `scene` and `terms` are of whole clips and do without it.

  A module named by `config.task` offers `make_task(model_config, axis_name=None)`; `axis_name` is
  the device axis over which batch statistics must be averaged when the step runs under `pmap`.
  """

  losses: Mapping[str, LossFn]

  def init(self, rng: Array, batch: Batch) -> tuple[Params, ModelState]:
    """Initial parameters and model state for batches shaped like this one."""
    ...

  def scene(
    self, params: Params, model_state: ModelState, batch: Batch, rng: Array, sample: bool = True
  ) -> Scene:
    """What the model sees in the batch; latents at their means when `sample` is False."""
    ...

  def terms(
    self, params: Params, model_state: ModelState, batch: Batch, rng: Array, sample: bool = True
  ) -> dict[str, Array]:
    """Each term of the objective per example, [B], in nats, in evaluation mode."""
    ...

  def sample(self, params: Params, model_state: ModelState, rng: Array, count: int) -> Scene:
    """Scenes drawn from the prior; generative models only."""
    ...

  def decode(self, params: Params, model_state: ModelState, latents: Array) -> Scene:
    """The scenes of these latents [B, K, D], laid out as in `Scene.latents`.

    For latent traversals; only models of images that have such latents offer it.
    """
    ...
