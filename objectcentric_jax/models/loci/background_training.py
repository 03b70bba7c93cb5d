"""Stage of Loci-Segmented that learns the background, from pairs of frames of one video.

Where masks of the foreground are known they teach the uncertainty; elsewhere it learns where the
background cannot be predicted. Published code: model/lightning/background.py of
CognitiveModeling/Loci-Segmented.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.losses.ssim import ycbcr_l2_ssim
from objectcentric_jax.models.loci.background import Background, make_background
from objectcentric_jax.models.loci.curricula import gestalt_loss
from objectcentric_jax.models.loci.objects import NO_DEPTH
from objectcentric_jax.models.loci.panels import background_panel
from objectcentric_jax.models.loci.pretraining import check_pictures
from objectcentric_jax.nn.binarize import perturbed
from objectcentric_jax.nn.compute import compute_dtype
from objectcentric_jax.nn.gradients import absolute, clip
from objectcentric_jax.nn.noise import NOISE, Sample
from objectcentric_jax.scene import Scene

Array = jax.Array

SCHEDULED = ("rgb_warmup", "depth_warmup")  # 1 while everything counts as background, then 0
# Of a dataset, in `config.model`; a batch that holds one of them [B] overrides it.
SETTINGS = (
  "colour_input",  # share of the colour that is seen
  "static",  # 1 where the camera does not move
  "uncertainty_regulariser",
  "rgb_weight",  # of the error of colours in teaching the uncertainty, where depth is known
  "depth_weighting",  # 1 where far background weighs more
)


@dataclasses.dataclass(frozen=True)
class Pair:
  """Two frames of B videos; pictures [B, H, W, C], numbers [B].

  Attributes:
    source, target: colours.
    source_depth, target_depth: below 0 where not known.
    source_mask, target_mask: of the foreground, in [0, 1].
    moved: 1 where the frames differ in time and the camera moves.
    has_depth, has_mask: 1 where they are known.
    settings: by name, see SETTINGS.
  """

  source: Array
  target: Array
  source_depth: Array
  target_depth: Array
  source_mask: Array
  target_mask: Array
  moved: Array
  has_depth: Array
  has_mask: Array
  settings: Mapping[str, Array]


def pair_of(batch: Mapping[str, Array], settings: Mapping[str, float]) -> Pair:
  """The first two frames of each clip.

  Args:
    batch: `video` [B, T >= 2, H, W, 3], perhaps `depth` and, of the foreground, `mask` or
      `segmentation`.
    settings: see SETTINGS.

  Raises:
    InputError: there are no two frames.
  """
  if "video" not in batch or batch["video"].shape[1] < 2:
    raise InputError("config.data: the background learns from clips of two frames of `video`")
  video = batch["video"][:, :2]
  blank = jnp.zeros_like(video[..., :1])
  depth = batch["depth"][:, :2] if "depth" in batch else blank + NO_DEPTH
  mask = foreground_of(batch)
  has_mask = jnp.full(len(video), float(mask is not None), video.dtype)
  mask = blank if mask is None else mask[:, :2].astype(video.dtype)
  values = {
    name: jnp.broadcast_to(batch.get(name, value), (len(video),)).astype(video.dtype)
    for name, value in settings.items()
  }
  moved = (video[:, 0] != video[:, 1]).any((1, 2, 3)).astype(video.dtype)
  return Pair(
    *(video[:, 0], video[:, 1], depth[:, 0], depth[:, 1], mask[:, 0], mask[:, 1]),
    moved=moved * (1 - values["static"]),
    has_depth=(depth >= 0).any((1, 2, 3, 4)).astype(video.dtype),
    has_mask=has_mask,
    settings=values,
  )


def foreground_of(batch: Mapping[str, Array]) -> Array | None:
  """The foreground [B, (T), H, W, 1], in [0, 1], where the batch knows it."""
  if "mask" in batch:
    return batch["mask"]
  return (batch["segmentation"] > 0) * 1.0 if "segmentation" in batch else None


@dataclasses.dataclass(frozen=True)
class BackgroundTask:
  """Training of the background, as `objectcentric_jax.training.task.Task`.

  `model_state["counters"]["context"]` counts the updates.

  Attributes:
    network: the model.
    use_depth: whether it sees the depth.
    supervision: weight of the loss that known masks give to the uncertainty.
    settings: of the dataset, see SETTINGS.
  """

  network: Background
  use_depth: bool
  supervision: float
  settings: Mapping[str, float]

  @property
  def losses(self):
    return {"background": self.background}

  def init(self, rng, batch):
    pair = pair_of(batch, self.settings)
    rngs = {"params": rng, NOISE: rng}
    frames = self.pictures(pair)

    def both(network, source, target):
      uncertainty = network.uncertainty(source)
      return network(source, target, uncertainty, uncertainty, pair.moved, 1.0, True, False)

    params = self.network.init(rngs, *frames, method=both)["params"]
    return params, {"counters": {"context": jnp.zeros((), jnp.int32)}}

  def pictures(self, pair: Pair) -> tuple[Array, Array]:
    """Source and target as the network sees them: [B, H, W, C] each."""
    if not self.use_depth:
      return pair.source, pair.target
    frames = ((pair.source, pair.source_depth), (pair.target, pair.target_depth))
    return tuple(jnp.concatenate(frame, axis=-1) for frame in frames)

  def background(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Loss of colours, depth, uncertainty and codes; `now` has the values of SCHEDULED."""
    pair = pair_of(batch, self.settings)
    loss, _, model_state, report = self.explain(params, model_state, pair, now, rng, True, sample)
    return loss, (model_state, report)

  def explain(self, params, model_state, pair: Pair, now, rng, training: bool, sample=True):
    """The loss, what was computed by name, the next model state, and a report."""
    source, target = self.pictures(pair)
    apply = lambda *arguments, **options: self.network.apply(  # noqa: E731
      {"params": params}, *arguments, rngs={NOISE: rng}, **options
    )
    source_unsure = apply(source, method="uncertainty")
    target_unsure = apply(target, method="uncertainty")
    warm = {name: _column(now[name], pair) for name in SCHEDULED}
    keep = 1 - jnp.maximum(warm["rgb_warmup"], warm["depth_warmup"])
    used = [lax.stop_gradient(unsure) * keep for unsure in (source_unsure, target_unsure)]
    colour = pair.settings["colour_input"]
    view = apply(source, target, *used, pair.moved, colour, training, sample)
    predicted = self._predicted(pair, lax.stop_gradient(target_unsure), keep)
    noise = _noise(rng, sample, target_unsure)
    supervised, unsupervised = self._uncertainty_losses(
      pair, source_unsure, target_unsure, perturbed(target_unsure, noise), view
    )
    has_mask = pair.has_mask
    uncertain = (supervised * has_mask + unsupervised * (1 - has_mask)).mean()
    known = (pair.target_depth >= 0).astype(predicted.dtype)
    depth = (absolute(view.depth - pair.target_depth) * predicted * known).mean()
    weight = predicted * (1 - warm["depth_warmup"])
    rgb, chroma, luma = (x.mean() for x in ycbcr_l2_ssim(view.rgb, pair.target, weight))
    count = model_state["counters"]["context"]
    loss = uncertain + depth + rgb + gestalt_loss(view.context, count)
    distance = jnp.minimum(jnp.abs(view.context), jnp.abs(1 - view.context))
    report = {
      "rgb_loss": rgb,
      "rgb_l2": chroma,
      "rgb_ssim": luma,
      "depth_loss": depth,
      "uncertainty": target_unsure.mean(),
      "prediction_mask": predicted.mean(),
      "supervised_uncertainty_loss": (supervised * has_mask).mean(),
      "unsupervised_uncertainty_loss": (unsupervised * (1 - has_mask)).mean(),
      "depth_context_bin_mean": distance.mean(),
      "depth_context_bin_std": distance.std(ddof=1),
      "depth_context_mean": view.context.mean(),
    }
    computed = {"source": source_unsure, "target": target_unsure, "view": view}
    return loss, computed, {**model_state, "counters": {"context": count + 1}}, report

  def _predicted(self, pair: Pair, target_unsure: Array, keep: Array) -> Array:
    """Pixels of the target that count as background: [B, H, W, 1], 0 or 1."""
    threshold, has_mask = self.network.threshold, _column(pair.has_mask, pair)
    found = (target_unsure < threshold).astype(pair.target.dtype)
    known = (pair.target_mask < threshold).astype(pair.target.dtype)
    return (found * (1 - has_mask) + known * has_mask) * keep + 1 - keep

  def _uncertainty_losses(self, pair: Pair, source, target, noisy, view) -> tuple[Array, Array]:
    """Taught by masks, one number for the batch, and by errors of prediction, [B]."""
    squares = lambda unsure, mask: ((unsure - (mask > 0.5)) ** 2).mean()  # noqa: E731
    supervised = squares(source, pair.source_mask) + squares(target, pair.target_mask)
    settings, has_depth = pair.settings, pair.has_depth
    weighting = settings["depth_weighting"]
    far = clip(pair.target_depth, 0.1, 1.0).mean(-1)
    weight = _column(has_depth * weighting, pair)[..., 0] * far
    weight = weight + _column(has_depth * (1 - weighting), pair)[..., 0]
    depth_error = lax.stop_gradient(absolute(view.depth - pair.target_depth))
    rgb_error = lax.stop_gradient(absolute(view.rgb - pair.target))
    rgb_weight = settings["rgb_weight"] * has_depth + 1 - has_depth
    unsupervised = (
      settings["uncertainty_regulariser"] * absolute(noisy).mean((1, 2, 3))
      + (weight[..., None] * depth_error * (1 - noisy)).mean((1, 2, 3))
      + rgb_weight * (rgb_error * (1 - noisy)).mean((1, 2, 3))
    )
    return self.supervision * supervised, unsupervised

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    """Each frame by itself: what is no background, shown as it is, then the background."""
    frames, (unsure, rgb, depth) = self.behind(params, batch, rng, sample)
    return Scene(
      image=unsure * frames + (1 - unsure) * rgb,
      masks=jnp.stack([unsure, 1 - unsure], axis=-4),
      components=jnp.stack([frames, rgb], axis=-4),
      depth=depth,
      background=jnp.array([False, True]),
    )

  def behind(self, params, batch, rng, sample: Sample = True):
    """Frames [B, (T), H, W, 3]; uncertainty, colours and depth of the background of each."""
    frames = batch["video"] if "video" in batch else batch["image"]
    lead, picture = frames.shape[:-3], frames
    if self.use_depth:
      picture = jnp.concatenate([frames, batch["depth"]], axis=-1)
    found = self.network.apply(
      {"params": params},
      picture.reshape(-1, *picture.shape[-3:]),
      *(False, sample),
      method="still",
      rngs={NOISE: rng},
    )
    return frames, tuple(x.reshape(*lead, *x.shape[1:]) for x in found)

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    return {}

  @property
  def metrics(self):
    return (background_scores,)

  @property
  def panels(self):
    return {"background": self.background_panel}

  def background_panel(self, params, model_state, batch, rng):
    """See `objectcentric_jax.models.loci.panels.background_panel`."""
    frames, found = self.behind(params, batch, rng)
    return background_panel(frames, batch.get("depth"), *found)


def background_scores(scene: Scene, batch: Mapping[str, Array]) -> dict[str, Array]:
  """Of frames whose foreground is known: "foreground_iou", and error of colours behind it, [B]."""
  foreground = foreground_of(batch)
  if foreground is None:
    return {}
  frames = batch["video"] if "video" in batch else batch["image"]
  axes = tuple(range(1, frames.ndim))
  behind = (foreground < 0.5).astype(frames.dtype)
  found, true = scene.masks[..., 0, :, :, :] > 0.5, foreground > 0.5
  error = absolute(scene.components[..., 1, :, :, :] - frames).mean(-1, keepdims=True)
  return {
    "foreground_iou": (found & true).sum(axes) / ((found | true).sum(axes) + 1e-6),
    "background_error": (error * behind).sum(axes) / (behind.sum(axes) + 1e-6),
  }


def _column(value, pair: Pair) -> Array:
  """A number, or one for each example, as [B, 1, 1, 1]."""
  value = jnp.broadcast_to(jnp.asarray(value, pair.target.dtype), (len(pair.target),))
  return value[:, None, None, None]


def _noise(rng, sample: Sample, like: Array) -> Array:
  """Standard normal, or zeros where draws are turned off or given."""
  if sample is not True:
    return jnp.zeros_like(like)
  return jax.random.normal(jax.random.fold_in(rng, 1), like.shape, like.dtype)


FIELDS = ("height", "width", "input_depth", "background", "supervision", *SETTINGS, "dtype")


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> BackgroundTask:
  """Builds the task from `config.model`; see `configs/loci/_base.py` for its fields.

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, FIELDS)
  check_pictures(config)
  return BackgroundTask(
    network=make_background(config, compute_dtype(config["dtype"])),
    use_depth=config["input_depth"],
    supervision=config["supervision"],
    settings={name: float(config[name]) for name in SETTINGS},
  )
