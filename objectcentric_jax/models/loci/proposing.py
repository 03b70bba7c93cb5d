"""Training of the proposal network on labelled images (stage 5), as a task.

Published code: model/lightning/proposal.py of CognitiveModeling/Loci-Segmented.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.models.loci.mask_cleanup import hard_masks
from objectcentric_jax.models.loci.objects import NO_DEPTH
from objectcentric_jax.models.loci.pictures import coloured_masks, grey_depth
from objectcentric_jax.models.loci.proposal import (
  MASK_WEIGHT,
  PROPOSAL_FIELDS,
  ProposalNetwork,
  Targets,
  make_proposal,
  mask_loss,
  position_loss,
  proposal_targets,
  proposals,
)
from objectcentric_jax.nn.compute import compute_dtype
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample
from objectcentric_jax.scene import Scene

Array = jax.Array

LABELS = 32  # objects of a picture, at most, as published


@dataclasses.dataclass(frozen=True)
class ProposalTask:
  """The network with its losses, as `objectcentric_jax.training.task.Task`.

  Batches have `image`, `segmentation` and perhaps `depth`. The network is shown the
  true foreground.

  Attributes:
    network: the model.
    input_depth: whether it looks at depth instead of colours.
    published_targets: targets as the published weights were trained with, see `proposal_targets`
      and `mask_loss`; False corrects them.
  """

  network: ProposalNetwork
  input_depth: bool
  published_targets: bool

  @property
  def losses(self):
    return {"proposal": self.proposal}

  def init(self, rng, batch):
    picture, depth = self._pictures(batch)
    variables = self.network.init(rng, picture, jnp.zeros_like(depth))
    return {"proposal": variables["params"]}, {}

  def proposal(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Errors of positions, and cross-entropy of masks after matching."""
    del now, rng, sample
    depth, targets, position, logits = self._explain(params, batch)
    of_position = position_loss(position, targets.position, None if self.input_depth else depth)
    of_masks, iou = mask_loss(targets.masks, logits, not self.published_targets)
    loss = of_position + MASK_WEIGHT * of_masks
    report = {"position": of_position, "masks": MASK_WEIGHT * of_masks, "iou": iou}
    return loss, (model_state, report)

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    """Cleaned masks, and the pictures themselves as components."""
    depth, _, _, logits = self._explain(params, batch)
    masks, position = proposals(logits, depth)
    masks = jnp.concatenate([masks, 1 - masks.max(1, keepdims=True)], axis=1)
    masks = masks / masks.sum(1, keepdims=True)  # closing gaps may make them overlap
    components = jnp.broadcast_to(
      batch["image"][:, None], (*masks.shape[:-1], batch["image"].shape[-1])
    )
    return Scene(
      image=batch["image"],
      masks=masks,
      components=components,
      latents=position,
      background=jnp.arange(masks.shape[1]) == masks.shape[1] - 1,
    )

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    """None; see `panels` and the scores of the masks."""
    return {}

  @property
  def panels(self):
    return {"proposals": self.pictures}

  def pictures(self, params, model_state, batch, rng) -> dict[str, Array]:
    """Pictures, true and proposed masks before and after their clean-up, and the position maps."""
    depth, targets, position, logits = self._explain(params, batch)
    masks, _ = proposals(logits, depth)
    return {
      "image": batch["image"],
      "depth": grey_depth(depth, depth >= 0),
      "true masks": coloured_masks(targets.masks),
      "masks": coloured_masks(hard_masks(logits)),
      "clean masks": coloured_masks(masks),
      "position": jnp.clip(position[..., :3], 0, 1),
      "true position": jnp.clip(targets.position[..., :3], 0, 1),
    }

  def _pictures(self, batch) -> tuple[Array, Array]:
    """What the network looks at, and the depth."""
    for name in ("image", *(["depth"] if self.input_depth else [])):
      if name not in batch:
        raise InputError(f"config.data.fields lacks {name}, which proposals look at")
    image = batch["image"]
    depth = batch["depth"] if "depth" in batch else jnp.full_like(image[..., :1], NO_DEPTH)
    return (depth if self.input_depth else image), depth

  def _explain(self, params, batch) -> tuple[Array, Targets, Array, Array]:
    """Depth, targets, position maps and mask logits of a batch."""
    if "segmentation" not in batch:
      raise InputError("config.data.fields lacks segmentation, which proposals are trained on")
    picture, depth = self._pictures(batch)
    masks = largest_masks(batch["segmentation"], self.network.slots, picture.dtype)
    targets = proposal_targets(masks, depth, signed=not self.published_targets)
    variables = {"params": params["proposal"]}
    position, logits = self.network.apply(variables, picture, targets.foreground)
    return depth, targets, at_least_float32(position), at_least_float32(logits)


def largest_masks(labels: Array, count: int, dtype) -> Array:
  """Masks [B, count, H, W, 1] of the largest objects in labels [B, H, W, 1], larger ones first.

  Label 0 is background, and labels above LABELS are left out. Fewer objects leave empty masks.
  """
  numbers = jnp.arange(1, max(LABELS, count) + 1).reshape(1, -1, 1, 1, 1)
  masks = (labels[:, None] == numbers).astype(dtype)
  order = jnp.argsort(-masks.sum((2, 3, 4)), axis=1)[:, :count]
  return jnp.take_along_axis(masks, order[..., None, None, None], 1)


FIELDS = ("proposal", "input_depth", "published_targets", "dtype")


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> ProposalTask:
  """Builds the task from `config.model`.

  Fields: `proposal` with those of PROPOSAL_FIELDS; `input_depth` and `published_targets` as in
  `ProposalTask`; `dtype` ("float32" or "bfloat16").

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  del axis_name  # nothing is averaged over the batch but losses
  check_fields("config.model", config, FIELDS)
  check_fields("config.model.proposal", config["proposal"], PROPOSAL_FIELDS)
  return ProposalTask(
    network=make_proposal(config["proposal"], compute_dtype(config["dtype"])),
    input_depth=config["input_depth"],
    published_targets=config["published_targets"],
  )
