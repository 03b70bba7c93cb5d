"""Object Pursuit as published: model, optimiser and data that every config shares."""

from collections.abc import Sequence
from typing import Any

import ml_collections

from configs import sections

# Generated for the last layer, which has no normalisation: only the memory term sees it.
UNUSED = "hypernetwork/decoder-last_conv-8/scale/"


def get_config() -> ml_collections.ConfigDict:
  """The published sizes; `config.model.kind` and the updates are still to be set."""
  config = sections.base()
  config.task = "objectcentric_jax.models.object_pursuit.object_pursuit"
  model = config.model
  model.kind = ""  # multinet, base, coefficients, deeplab or unet
  model.side = config.data.get_ref("side")
  model.generated = "head"  # or "all": the backbone, too
  model.widths = dict(aspp=256, low=48, decoder=256)  # channels of the head
  model.unet_width = 64
  model.latent_size = 100
  model.objects = 1  # of the joint training: latents that are learned
  model.bases = 64  # room in the memory of a pursuit; more than that are one more compilation
  model.known = 0  # room for known objects there; 0 without the memory term
  model.balanced = False  # weigh the pixels of the object by how few they are
  model.shrinkage = 0.0  # weight of the mean magnitude of the latent or the coefficients
  model.memory_weight = 0.04
  model.statistics = "batch"  # of batch normalisation in evaluation: as published; or "running"
  model.frozen_backbone = False
  model.dropout = "training"  # "always" as in the published scores, or "never"
  model.rematerialise = True  # half the memory for a third more time
  model.dtype = "float32"  # or bfloat16

  config.data.side = 256
  config.data.fields = ("image", "segmentation", "metadata/object_id")
  config.data.batch_size = 8
  config.data.objects = 1  # of made-up scenes
  config.train.report_every = 50
  config.train.checkpoint_every = 500
  config.train.headline = ("segmentation_error", "object_share")
  config.eval.images = 0
  config.eval.batch_size = 8
  config.eval.best = "iou"
  config.eval.headline = ("dice", "iou", "boundary_f")
  return config


def update(
  learned: Sequence[str], rate: Any, clip_value: float = 0.0, memory: bool = False
) -> tuple[dict[str, Any], ...]:
  """`config.train.updates`: the published RMSprop on some parts, the others frozen.

  Args:
    learned: first words of the paths of what is learned, such as "latents" and "hypernetwork".
    rate: a number or a schedule.
    clip_value: bound of each element of the gradients; 0 for none, as in the pursuit.
    memory: whether there is a memory term, without which a part of the hypernetwork is not used
      and must not move; decay of weights would move it.
  """
  constants = dict(decay=0.99, epsilon=1e-8, momentum=0.9, weight_decay=1e-7)
  optimizer = dict(name="rmsprop", rate=rate, clip_value=clip_value, **constants)
  unused = f"(?!{UNUSED})" if "hypernetwork" in learned and not memory else ""
  moved = f"{unused}({'|'.join(learned)})(/|$)"
  groups = {f"^{moved}": optimizer, f"^(?!{moved})": dict(name="frozen")}
  return (dict(loss="segmentation", clip=0.0, groups=groups),)


def update_all(rate: Any, clip_value: float = 0.0) -> tuple[dict[str, Any], ...]:
  """`config.train.updates` of the networks to compare with: everything is learned."""
  (settings,) = update(("",), rate, clip_value)
  optimizer = next(iter(settings["groups"].values()))
  return ({**settings, "groups": {"": optimizer}},)
