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
  # Channels of the backbone's first stage, and of the parts of the head.
  model.widths = dict(backbone=64, aspp=256, low=48, decoder=256)
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
  model.rematerialise = True
  model.dtype = "float32"  # or bfloat16

  config.data.side = 256
  config.data.fields = ("image", "segmentation")
  config.data.by_object.use = True
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
  learned: Sequence[str],
  rate: Any,
  clip_value: float = 0.0,
  memory: bool = False,
  rest: bool = True,
) -> tuple[dict[str, Any], ...]:
  """`config.train.updates`: the published RMSprop on some parts, the others frozen.

  Args:
    learned: first words of the paths of what is learned, such as "latents" and "hypernetwork".
    rate: a number or a schedule.
    clip_value: bound of each element of the gradients; 0 for none, as in the pursuit.
    memory: whether there is a memory term, without which a part of the hypernetwork is not used
      and must not move; decay of weights would move it.
    rest: whether there are others.
  """
  constants = dict(decay=0.99, epsilon=1e-8, momentum=0.9, weight_decay=1e-7)
  optimizer = dict(name="rmsprop", rate=rate, clip_value=clip_value, **constants)
  unused = f"(?!{UNUSED})" if "hypernetwork" in learned and not memory else ""
  moved = f"{unused}({'|'.join(learned)})(/|$)"
  groups = {f"^{moved}": optimizer} | ({f"^(?!{moved})": dict(name="frozen")} if rest else {})
  return (dict(loss="segmentation", clip=0.0, groups=groups),)


def update_all(rate: Any, clip_value: float = 0.0) -> tuple[dict[str, Any], ...]:
  """`config.train.updates` of the networks to compare with: everything is learned."""
  (settings,) = update(("",), rate, clip_value)
  optimizer = next(iter(settings["groups"].values()))
  return ({**settings, "groups": {"": optimizer}},)


def views(config: ml_collections.ConfigDict, name: str, crop: bool = True):
  """The views of a set of objects as published: a random square, bicubic, soft edges of masks."""
  config.data.name = name
  steps = [dict(name="square_crop")] if crop else []
  steps += [dict(name="object_masks", objects=1)]
  steps += [dict(name="resize", method="pillow_bicubic", ids="pillow_nearest")]
  config.data.preprocess = tuple(steps)


def joint(config: ml_collections.ConfigDict, objects: int, steps_per_epoch: int):
  """Joint pretraining: 100 epochs, a rate that falls to 0.7 of itself every 15 of them.

  A tenth of the views of every object is kept out and scored; as published (variant `published`)
  what is trained with is scored.
  """
  config.model.kind = "multinet"
  config.model.objects = objects
  every, rate = 15 * steps_per_epoch, 4e-4
  drops = range(1, 100 // 15 + 1)
  rates = tuple(rate * 0.7**drop for drop in (0, *drops))
  schedule = dict(kind="piecewise", values=rates, steps=tuple(every * drop for drop in drops))
  config.train.updates = update(("latents", "hypernetwork", "backbone"), schedule, clip_value=0.1)
  config.train.steps = 100 * steps_per_epoch
  config.train.evaluate_every = 10 * steps_per_epoch
  config.data.by_object.held_out = 0.1
  config.data.objects = 2
  config.eval.split = config.data.split
  config.eval.test_split = config.data.split


def oneshot(config: ml_collections.ConfigDict, shots: int = 1):
  """One object from few views, of which the others are scored: by default over given bases."""
  config.model.kind = "coefficients"
  config.train.updates = update(("coefficients",), 4e-4, clip_value=0.1)
  config.data.by_object.shots = shots
  config.data.by_object.held_out = 0.1  # all views but the shots are scored
  config.data.objects = 2
  config.eval.split = config.data.split
  config.eval.test_split = config.data.split


def published(config: ml_collections.ConfigDict):
  """Variant: dropout in the scores, which are of views that were trained with."""
  config.model.dropout = "always"
  config.data.by_object.held_out = 0.0


def whole(config: ml_collections.ConfigDict):
  """Variant: the backbone is generated, too."""
  config.model.generated = "all"
  learned = ("latents", "hypernetwork")
  (settings,) = config.train.updates
  optimizer = next(iter(settings["groups"].values()))
  config.train.updates = update(learned, optimizer["rate"], optimizer["clip_value"])


def deeplab(config: ml_collections.ConfigDict):
  """Variant: one network with weights of its own for all objects, which it cannot tell apart."""
  config.model.kind = "deeplab"
  (settings,) = config.train.updates
  optimizer = next(iter(settings["groups"].values()))
  config.train.updates = update_all(optimizer["rate"], optimizer["clip_value"])


JOINT_VARIANTS = {"published": published, "whole": whole, "deeplab": deeplab}
