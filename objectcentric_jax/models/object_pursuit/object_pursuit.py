"""Object Pursuit (Pan, Zhang, Xu, Guibas and Yang, ICLR 2022, arXiv 2112.07954): its networks.

An object is a latent. A hypernetwork turns it into the weights of a network that segments this
object and nothing else. Three trainings use it, by `config.model.kind`:

  multinet      a latent for each of many objects, learned together (joint pretraining)
  base          one new latent, with the hypernetwork, which must not forget what it knows
  coefficients  one object as a linear combination of the bases in memory

and two networks with weights of their own are there to compare with: `deeplab` and `unet`. Batches
hold one object. What orders the trainings is `pursuit`.

Published code: model/coeffnet and object_pursuit of pptrick/Object-Pursuit.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.errors import InputError, check_fields, check_positive
from objectcentric_jax.losses.segmentation import balancing_weight, cross_entropy
from objectcentric_jax.metrics.mask_overlap import object_mask, overlap_metrics
from objectcentric_jax.models.object_pursuit.forgetting import memory_term
from objectcentric_jax.models.object_pursuit.hypernetwork import Generated
from objectcentric_jax.models.object_pursuit.layers import (
  backbone_table,
  head_table,
  whole_table,
)
from objectcentric_jax.models.object_pursuit.memory import (
  Memory,
  combined,
  empty_memory,
  initial_coefficients,
  valid,
)
from objectcentric_jax.models.object_pursuit.networks import PlainUNet, deeplab, object_network
from objectcentric_jax.models.object_pursuit.unet import UNet
from objectcentric_jax.nn.compute import compute_dtype
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import NOISE, Sample
from objectcentric_jax.scene import Scene

Array = jax.Array

OBJECT = "object"  # of a batch: which object all its images are of, [B]
KINDS = ("multinet", "base", "coefficients", "deeplab", "unet")
CHOICES = {
  "kind": KINDS,
  "generated": ("head", "all"),
  "statistics": ("batch", "running"),
  "dropout": ("never", "training", "always"),
}


@dataclasses.dataclass(frozen=True)
class SegmentationTask:
  """Segmentation of one object, as `objectcentric_jax.training.task.Task`.

  Attributes:
    network: the model.
    balanced: weigh the pixels of the object by how few they are.
    shrinkage: weight of the mean magnitude of the latent or of the coefficients.
    memory_weight: of the memory term.
    statistics: of the backbone's (or baseline's) batch normalisation outside of training: those of
      the "batch", as published, or the "running" ones.
    frozen_backbone: it takes the statistics of evaluation in training, too.
    dropout: where values are dropped: "never", in "training", or "always", which published scores
      were measured with.
  """

  network: nn.Module
  balanced: bool
  shrinkage: float
  memory_weight: float
  statistics: str
  frozen_backbone: bool
  dropout: str

  metrics = (overlap_metrics,)
  # What is said of an image depends on the others: batch normalisation by the batch's statistics.
  whole_batches = True

  @property
  def losses(self):
    return {"segmentation": self.segmentation}

  def init(self, rng, batch):
    variables = self.initial_variables(rng, batch["image"])
    params = variables.pop("params")
    return params, variables

  def segmentation(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Cross-entropy with the mask per pixel, and what the kind of task adds to it."""
    del now
    noise, memory_key = jax.random.split(rng)
    mask = object_mask(batch)
    running = self.statistics == "running" and self.frozen_backbone
    sample = False if self.dropout == "never" else sample
    logits, model_state = self.logits(params, model_state, batch, noise, sample, running)
    weight = balancing_weight(mask) if self.balanced else 1.0
    error = cross_entropy(at_least_float32(logits), mask, weight).mean()
    penalties = self.penalties(params, model_state, memory_key)
    predicted = (logits > 0).astype(mask.dtype)
    report = {
      "segmentation_error": error,
      **penalties,
      "object_share": predicted.mean(),
      "pixel_accuracy": (predicted == (mask > 0.5)).mean(dtype=mask.dtype),
    }
    return error + sum(penalties.values()), (model_state, report)

  def logits(self, params, model_state, batch, rng, sample: Sample, running: bool):
    """Mask logits [B, H, W, 1] and the model state after them.

    Args:
      params, model_state, batch: as of a loss.
      rng: of dropout.
      sample: of dropout.
      running: by the running statistics, which stay, instead of those of the batch.
    """
    variables = {"params": self.network_parameters(params)}
    statistics = {name: tree for name, tree in model_state.items() if name == "batch_stats"}
    arguments = self.network_arguments(params, model_state, batch)
    logits, changed = self.network.apply(
      variables | statistics,
      *arguments,
      sample,
      rngs={NOISE: rng},
      mutable=[] if running else list(statistics),
    )
    return logits, model_state | dict(changed)

  def evaluation_logits(self, params, model_state, batch, rng, sample: Sample = True) -> Array:
    """Mask logits [B, H, W, 1] outside of training."""
    drawn = sample if self.dropout == "always" else False
    running = self.statistics == "running"
    return self.logits(params, model_state, batch, rng, drawn, running)[0]

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    """The background and the object; there is no reconstruction."""
    logits = self.evaluation_logits(params, model_state, batch, rng, sample)
    inside = nn.sigmoid(at_least_float32(logits))
    return Scene(
      image=None,
      masks=jnp.stack([1 - inside, inside], axis=1),
      background=jnp.asarray(np.array([True, False])),
    )

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    """None: the objective is no bound of a likelihood."""
    return {}

  def initial_variables(self, rng, image) -> dict[str, Any]:
    """Parameters under "params" and what else changes."""
    return dict(self.network.init({"params": rng, NOISE: rng}, image))

  def network_parameters(self, params):
    """Those of the network among all parameters."""
    return params

  def network_arguments(self, params, model_state, batch) -> tuple[Array, ...]:
    """What the network is called with."""
    del params, model_state
    return (batch["image"],)

  def penalties(self, params, model_state, rng) -> dict[str, Array]:
    """What is added to the error, by name."""
    del params, model_state, rng
    return {}


@dataclasses.dataclass(frozen=True)
class GeneratedTask(SegmentationTask, abc.ABC):
  """What the tasks whose weights are generated share.

  Attributes:
    latent_size: D.
    objects: of the joint training.
    bases: room for bases.
    known: room for known objects.
  """

  latent_size: int
  objects: int
  bases: int
  known: int

  def generate(self, params, latents: Array) -> dict[str, Generated]:
    """Weights of objects, trees of [Z, ...], from their latents [Z, D]."""
    variables = {"params": self.network_parameters(params)}
    return self.network.apply(variables, latents, method="generate")

  def segment(
    self, params, model_state, weights: Mapping[str, Generated], image: Array, rng: Array
  ) -> Array:
    """Mask logits [B, H, W, 1] by weights that were generated before, as in evaluation.

    For many batches of one object, whose weights are then generated once; `rng` is of dropout,
    where values are dropped always.
    """
    variables = {"params": self.network_parameters(params)}
    statistics = {name: tree for name, tree in model_state.items() if name == "batch_stats"}
    mutable = [] if self.statistics == "running" else list(statistics)
    return self.network.apply(
      variables | statistics,
      weights,
      image,
      self.dropout == "always",
      rngs={NOISE: rng},
      method="segment",
      mutable=mutable,
    )[0]

  @abc.abstractmethod
  def latent(self, params, model_state, batch) -> Array:
    """Of the object in the batch, [D]."""

  @abc.abstractmethod
  def own_parameters(self, rng, memory: Memory | None) -> dict[str, Array]:
    """What the task learns besides networks, as it starts."""

  def initial_variables(self, rng, image):
    network_key, own_key, memory_key = jax.random.split(rng, 3)
    latent = jnp.zeros((self.latent_size,))
    rngs = {"params": network_key, NOISE: network_key}
    variables = dict(self.network.init(rngs, latent, image))
    memory = self.initial_memory(memory_key, variables["params"])
    state = {"memory": memory} if memory is not None else {}
    variables["params"] = {**variables["params"], **self.own_parameters(own_key, memory)}
    return variables | state

  def initial_memory(self, rng, params) -> Memory | None:
    """An empty one; None where the task has no use for it."""
    shapes = jax.eval_shape(self.generate, params, jnp.zeros((1, self.latent_size)))
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), shapes)
    return empty_memory(self.bases, self.latent_size, self.known, shapes)

  def network_parameters(self, params):
    return {name: params[name] for name in ("hypernetwork", "backbone") if name in params}

  def network_arguments(self, params, model_state, batch):
    return (self.latent(params, model_state, batch), batch["image"])


class MultinetTask(GeneratedTask):
  """Joint pretraining: the table `latents` [objects, D] has a row for each."""

  def latent(self, params, model_state, batch):
    del model_state
    return params["latents"][batch[OBJECT][0]]

  def initial_memory(self, rng, params):
    return None

  def own_parameters(self, rng, memory):
    return {"latents": jax.random.normal(rng, (self.objects, self.latent_size))}


class BaseTask(GeneratedTask):
  """A new object: its `latent` [D] and the hypernetwork, held to what it generated before."""

  def latent(self, params, model_state, batch):
    return params["latent"]

  def own_parameters(self, rng, memory):
    return {"latent": jax.random.normal(rng, (self.latent_size,))}

  def penalties(self, params, model_state, rng):
    terms = {"shrinkage": self.shrinkage * jnp.abs(params["latent"]).mean()}
    if self.memory_weight and self.known:
      moved = memory_term(lambda z: self.generate(params, z), model_state["memory"], rng)
      terms["memory"] = self.memory_weight * moved
    return terms


class CoefficientsTask(GeneratedTask):
  """An object over the bases in memory: only `coefficients` [bases] are learned.

  Where no others are given, the bases are random.
  """

  def initial_memory(self, rng, params):
    memory = super().initial_memory(rng, params)
    bases = jax.random.normal(rng, memory.bases.shape, memory.bases.dtype)
    return memory.replace(bases=bases, count=jnp.asarray(self.bases, jnp.int32))

  def latent(self, params, model_state, batch):
    return combined(model_state["memory"], params["coefficients"])

  def own_parameters(self, rng, memory):
    return {"coefficients": initial_coefficients(memory)}

  def penalties(self, params, model_state, rng):
    memory = model_state["memory"]
    # Those without a base are at 0, where the magnitude has a slope.
    used = jnp.where(valid(memory), params["coefficients"], 0.0)
    mean = jnp.abs(used).sum() / jnp.maximum(memory.count, 1)
    return {"shrinkage": self.shrinkage * mean}


GENERATED_TASKS = {"multinet": MultinetTask, "base": BaseTask, "coefficients": CoefficientsTask}
TASK_FIELDS = (
  *("balanced", "shrinkage", "memory_weight", "statistics", "frozen_backbone", "dropout"),
)
GENERATED_FIELDS = ("latent_size", "objects", "bases", "known")
NETWORK_FIELDS = ("kind", "side", "generated", "widths", "unet_width", "rematerialise", "dtype")
WIDTHS = ("backbone", "aspp", "low", "decoder")


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> SegmentationTask:
  """Builds the task from `config.model`.

  Fields: `kind`; `side` of the images; `generated`, "head" or "all" of the network; `widths` of the
  head, as in `head_table`; `unet_width`; `rematerialise`, as in `Hypernetwork`; `dtype`; and those
  of `SegmentationTask` and `GeneratedTask`.

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, (*NETWORK_FIELDS, *TASK_FIELDS, *GENERATED_FIELDS))
  check_fields("config.model.widths", config["widths"], WIDTHS)
  for name, choices in CHOICES.items():
    if config[name] not in choices:
      known = ", ".join(choices)
      raise InputError(f"config.model.{name} is {config[name]!r}: choose one of {known}")
  check_positive("config.model", config, ("side", "latent_size", "objects", "bases", "unet_width"))
  check_positive("config.model.widths", config["widths"], WIDTHS)
  dtype = compute_dtype(config["dtype"])
  widths, kind = {name: config["widths"][name] for name in WIDTHS}, config["kind"]
  head, backbone = head_table(**widths), widths["backbone"]
  fields = {name: config[name] for name in TASK_FIELDS}
  if kind == "unet":
    network = PlainUNet(UNet(config["unet_width"], axis_name=axis_name, dtype=dtype))
    return SegmentationTask(network, **fields)
  if kind == "deeplab":
    return SegmentationTask(deeplab(whole_table(head, backbone), axis_name, dtype), **fields)
  own = backbone_table(backbone) if config["generated"] == "head" else None
  table = head if own else whole_table(head, backbone)
  network = object_network(table, own, config["rematerialise"], axis_name, dtype)
  fields |= {name: config[name] for name in GENERATED_FIELDS}
  return GENERATED_TASKS[kind](network, **fields)
