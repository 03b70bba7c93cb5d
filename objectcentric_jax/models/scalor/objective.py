"""SCALOR's objective and what it is trained with: perceptual and adversarial losses.

Published code: train.py of JindongJiang/SCALOR; train_perceptual.py, train_gan.py and
train_perceptual_gan.py of orhunguley/unsupervised_object_learning.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from objectcentric_jax.batch import as_float
from objectcentric_jax.checkpoint_import import vgg
from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.adversarial import discriminator_loss, generator_loss
from objectcentric_jax.losses.gaussian import log_normal
from objectcentric_jax.losses.perceptual import perceptual_log_likelihood
from objectcentric_jax.models.scalor.discriminator import Discriminator
from objectcentric_jax.models.scalor.panels import panels
from objectcentric_jax.models.scalor.scalor import PALETTE, Frames, Memory, Scalor, Settings
from objectcentric_jax.nn.glimpses import image_boxes
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import NOISE, Sample
from objectcentric_jax.scene import Scene

Array = jax.Array

# What of the model depends on the step, all from the schedules of these names.
SCHEDULED = ("temperature", "presence_prior", "time_gradient", "object_alpha")
SETTLED = SCHEDULED[:2]  # these keep their last values outside of training
SEQUENCE = "sequence"  # of a batch: which video its clips are of, [B]
VISIBLE = 100  # roundings of one: the least share of a pixel from which a component can be told


@dataclasses.dataclass(frozen=True)
class Perceptual:
  """The perceptual loss: minus `weight` times the mean log likelihood of videos and layers.

  Attributes:
    weights: file of torchvision's VGG16; needed when a training starts.
    layers: whose features are compared.
    deviation: of features.
    weight: of the loss.
  """

  weights: str
  layers: Sequence[str]
  deviation: float
  weight: float

  def start(self) -> dict[str, Any]:
    """The frozen weights.

    Only their shapes matter where a checkpoint follows, as in evaluation, which is why zeros will
    do without the file; `check_ready` asks for it before a training.
    """
    if not Path(self.weights).is_file():
      return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), vgg.template(self.layers))
    return jax.tree.map(jnp.asarray, vgg.read(self.weights, self.layers))

  def log_likelihood(self, weights: Any, video: Array, image: Array) -> Array:
    """Of a video [B, T, S, S, 3] in every layer, summed over frames: [B, layers], nats."""
    flat = (x.reshape(-1, *x.shape[2:]) for x in (video, image))
    per_frame = perceptual_log_likelihood(weights, *flat, self.layers, self.deviation)
    return per_frame.reshape(*video.shape[:2], -1).sum(1)

  def loss(self, weights: Any, video: Array, image: Array) -> Array:
    """Scalar."""
    return -self.weight * self.log_likelihood(weights, video, image).mean()


@dataclasses.dataclass(frozen=True)
class ScalorTask:
  """SCALOR with its objective, as `objectcentric_jax.training.task.Task`.

  Attributes:
    network: the model.
    pixel_deviation: of the likelihood of colours in [0, 1].
    settled: values of the schedules SETTLED outside of training.
    observed_frames: of a clip that is continued.
    generated_frames: of a scene that is drawn from the prior.
    fixed_backgrounds: latents of backgrounds that are fixed: one for all videos, or one for each of
      so many, which batches number from 0 as `sequence` (the step `clip` counts them).
    likelihood_draws: of the estimate of the log likelihood in `scores`; 0 leaves it out.
    carried: whether clips continue the ones before them, as `config.data.chunk` cuts them.
    perceptual: the perceptual loss, if any.
    discriminator: of the adversarial training, if any; its weight is the schedule
      "adversarial_weight", and the loss "discriminator" trains it.
  """

  network: Scalor
  pixel_deviation: float
  settled: Mapping[str, float]
  observed_frames: int = 5
  generated_frames: int = 10
  fixed_backgrounds: int = 1
  likelihood_draws: int = 0
  carried: bool = False
  perceptual: Perceptual | None = None
  discriminator: Discriminator | None = None

  @property
  def losses(self):
    losses = {"elbo": self.elbo}
    if self.discriminator is not None:
      losses["discriminator"] = self.judge
    return losses

  @property
  def panels(self):
    return panels(self)

  def check_ready(self):
    """Raises InputError where the weights of the perceptual loss are missing."""
    if self.perceptual is not None:
      vgg.read(self.perceptual.weights, self.perceptual.layers)

  # Parameters and state

  def init(self, rng, batch):
    video = as_float(batch)["video"]
    rng, background_rng, judge_rng = jax.random.split(rng, 3)
    dtype = jnp.promote_types(video.dtype, jnp.float32)
    model_state = {}
    if self.network.background.kind == "fixed":
      shape = self.fixed_backgrounds, self.network.background.latents
      model_state["background"] = jax.random.normal(background_rng, shape, jnp.float32)
    memory, fixed = self.start(len(video), dtype=dtype), self._fixed(model_state, batch)
    arguments = (video[:, :1], memory, self._outside(), fixed)
    rngs = {"params": rng, NOISE: rng}
    params = self.network.init(rngs, *arguments, training=False)["params"]
    carry = {"memory": self.start(len(video), training=True)} if self.carried else {}
    if self.perceptual is not None:
      model_state["perceptual"] = self.perceptual.start()
    if self.discriminator is not None:
      rngs = {"params": judge_rng, NOISE: judge_rng}
      variables = self.discriminator.init(rngs, video[:, 0], method="once")
      params = {**params, "discriminator": variables["params"]}
      model_state["batch_stats"] = {"discriminator": variables["batch_stats"]}
      carry["image"] = jnp.zeros(video.shape, jnp.float32)
    if carry:
      model_state["carry"] = carry
    return params, model_state

  def start(self, batch: int, training: bool = False, dtype=jnp.float32) -> Memory:
    """The memory before the first frame of a video."""
    return self.network.start(batch, training, dtype)

  def _fixed(self, model_state, batch) -> Array | None:
    """Latents of fixed backgrounds [B, D]; not a number for a video beyond those that have one."""
    if "background" not in model_state:
      return None
    if self.fixed_backgrounds == 1:
      numbers = jnp.zeros(len(batch["video"]), jnp.int32)
    elif SEQUENCE in batch:
      numbers = batch[SEQUENCE]
    else:
      raise InputError(
        f"config.model.fixed_backgrounds is {self.fixed_backgrounds}, but batches do not say which "
        "video they are of: give the step clip of config.data.preprocess numbered=True"
      )
    return jnp.take(model_state["background"], numbers, axis=0, mode="fill")

  def _outside(self) -> Settings:
    """The settings outside of training."""
    return Settings(**self.settled, time_gradient=0.0, object_alpha=-1.0)

  # Training

  def elbo(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Negative evidence lower bound, with the penalty of masks and the losses of the extension.

    `now` has the values of SCHEDULED, "mask_penalty" and, in adversarial training,
    "adversarial_weight".
    """
    frames, model_state = self.training_frames(params, model_state, batch, now, rng, sample)
    return self.objective(params, frames, model_state, batch["video"], now, rng, sample)

  def objective(self, params, frames, model_state, video, now, rng, sample: Sample = True):
    """The loss and its terms for what the network computed."""
    terms = {name: term.mean() for name, term in self.objective_terms(frames, video).items()}
    elbo = sum(terms.values())
    extras = {"mask_penalty": now["mask_penalty"] * half_masks(frames.alpha).mean()}
    if self.perceptual is not None:
      extras["content"] = self.perceptual.loss(model_state["perceptual"], video, frames.image)
    if self.discriminator is not None:
      weight = now["adversarial_weight"]
      rng = jax.random.fold_in(rng, 1)
      adversarial, model_state = self._adversarial(
        params, model_state, frames.image, weight, rng, sample
      )
      extras["adversarial"] = weight * adversarial
    report = {**terms, "elbo": elbo, **extras, **details(frames, video)}
    return elbo + sum(extras.values()), (model_state, report)

  def training_frames(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Everything the network computes in training, and the model state after it."""
    video = batch["video"]
    memory = self.start(len(video), True, jnp.promote_types(video.dtype, jnp.float32))
    if self.carried:
      if "time" not in batch:
        raise InputError(
          "config.model.carried is True, but config.data.chunk is 0: set it to the frames "
          "of a clip that a training step sees"
        )
      is_first = batch["time"] == 0
      memory = reset(model_state["carry"]["memory"], memory, is_first)
    settings = Settings(**{name: now[name] for name in SCHEDULED})
    frames, after = self.network.apply(
      {"params": generator(params)},
      video,
      memory,
      settings,
      self._fixed(model_state, batch),
      training=True,
      sample=sample,
      rngs={NOISE: rng},
    )
    carry = {**model_state.get("carry", {})}
    if self.carried:
      carry["memory"] = as_before(after, carry["memory"])
    if self.discriminator is not None:
      carry["image"] = as_before(lax.stop_gradient(frames.image), carry["image"])
    return frames, (model_state | {"carry": carry} if carry else model_state)

  def _adversarial(self, params, model_state, image, weight, rng, sample):
    """Loss of the frames being taken for made ones, summed over frames, where it has a weight."""
    statistics = model_state["batch_stats"]["discriminator"]

    def judged(image, statistics):
      logits, statistics = self._judge(params, statistics, rng, image, sample)
      return generator_loss(logits).mean((0, 2)).sum(), statistics

    def unjudged(image, statistics):
      return jnp.zeros((), image.dtype), statistics

    loss, statistics = lax.cond(weight > 0, judged, unjudged, image, statistics)
    return loss, model_state | {"batch_stats": {"discriminator": statistics}}

  def judge(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Loss of the discriminator on the frames and their reconstructions in this step's "elbo"."""
    del now
    video, made = batch["video"], lax.stop_gradient(model_state["carry"]["image"])
    statistics = model_state["batch_stats"]["discriminator"]
    (real, fake), statistics = self._judge(
      params, statistics, rng, video, made, sample, method="compare"
    )
    loss = discriminator_loss(real, fake).mean((0, 2)).sum()
    report = {"real": jax.nn.sigmoid(real).mean(), "fake": jax.nn.sigmoid(fake).mean()}
    return loss, (model_state | {"batch_stats": {"discriminator": statistics}}, report)

  def _judge(self, params, statistics, rng, *arguments, method=None):
    judged, changed = self.discriminator.apply(
      {"params": params["discriminator"], "batch_stats": statistics},
      *arguments,
      rngs={NOISE: rng},
      mutable=["batch_stats"],
      method=method,
    )
    return judged, as_before(changed["batch_stats"], statistics)

  # Evaluation

  def frames(
    self,
    params,
    model_state,
    batch,
    rng,
    sample: Sample = True,
    observed: int | None = None,
    palette: Array | None = None,
  ) -> Frames:
    """Everything the network computes for videos that begin, in evaluation mode.

    Frames from `observed` on are generated; `palette` as in `Scalor`.
    """
    video = batch["video"]
    dtype = jnp.promote_types(video.dtype, jnp.float32)
    return self.network.apply(
      {"params": generator(params)},
      video,
      self.start(len(video), dtype=dtype),
      self._outside(),
      self._fixed(model_state, batch),
      training=False,
      observed=observed,
      palette=palette,
      sample=sample,
      rngs={NOISE: rng},
    )[0]

  def objective_terms(self, frames: Frames, video: Array) -> dict[str, Array]:
    """Terms of the objective per frame, averaged over frames: [B], nats; they sum to -ELBO."""
    likelihood = self.log_likelihoods(frames, video).mean(1)
    return {
      "reconstruction": -likelihood,
      **{name: value.mean(1) for name, value in frames.divergences.items()},
    }

  def log_likelihoods(self, frames: Frames, video: Array) -> Array:
    """Of every frame, [B, T], in nats."""
    video = at_least_float32(video)
    return log_normal(video, frames.image, self.pixel_deviation).sum((2, 3, 4))

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    frames = self.frames(params, model_state, batch, rng, sample)
    return self.objective_terms(frames, batch["video"])

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    palette = jnp.asarray(PALETTE)
    frames = self.frames(params, model_state, batch, rng, sample, palette=palette)
    return scene_of(frames)

  def scores(self, params, model_state, batch, rng) -> dict[str, Array]:
    """The importance-weighted bound of the log likelihood of videos, if asked for: [B], nats.

    The logarithm of the mean weight of a number of draws, which is the tighter the more there are
    (Burda et al., 2016).
    """
    if not self.likelihood_draws:
      return {}

    def draw(key):
      return self.log_weights(params, model_state, batch, key)

    weights = lax.map(draw, jax.random.split(rng, self.likelihood_draws))
    bound = jax.nn.logsumexp(weights, axis=0) - math.log(self.likelihood_draws)
    return {"log_likelihood": bound}

  def log_weights(self, params, model_state, batch, rng, sample: Sample = True) -> Array:
    """log p(video, z) - log q(z) of one draw z of all latents: [B], nats."""
    frames = self.frames(params, model_state, batch, rng, sample)
    return (self.log_likelihoods(frames, batch["video"]) + frames.log_weight).sum(1)

  # Generation

  def sample(self, params, model_state, rng, count):
    """Videos of `generated_frames` frames from the prior; nothing is observed.

    Where backgrounds are fixed, these have one after the other of them.
    """
    side = self.network.frame_encoder.side
    video = jnp.zeros((count, self.generated_frames, side, side, 3), jnp.float32)
    batch = {"video": video, SEQUENCE: jnp.arange(count) % self.fixed_backgrounds}
    return self.continued(params, model_state, batch, rng, observed=0)

  def continued(self, params, model_state, batch, rng, observed: int) -> Scene:
    """The video, of which all frames but the first `observed` are imagined."""
    palette = jnp.asarray(PALETTE)
    return scene_of(
      self.frames(params, model_state, batch, rng, observed=observed, palette=palette)
    )


def generator(params: Mapping[str, Any]) -> dict[str, Any]:
  """The parameters without those of the discriminator."""
  return {name: part for name, part in params.items() if name != "discriminator"}


def as_before(tree: Any, before: Any) -> Any:
  """The tree in the types that it had before the step, which do not change in training."""
  return jax.tree.map(lambda new, old: new.astype(old.dtype), tree, before)


def reset(memory: Memory, fresh: Memory, is_first: Array) -> Memory:
  """The memory, or a fresh one for the clips [B] that begin a video."""

  def choose(new, old):
    return jnp.where(is_first.reshape(-1, *(1,) * (new.ndim - 1)), new, old.astype(new.dtype))

  return jax.tree.map(choose, fresh, memory)


def half_masks(alpha: Array) -> Array:
  """How far alpha maps [B, T, S, S, 1] are from 0 and 1, mean of frames, sum of pixels: [B].

  A pixel counts from 0 to 1, at alpha one half. The future work that the extension names.
  """
  return (4 * alpha * (1 - alpha)).sum((2, 3, 4)).mean(1)


def details(frames: Frames, video: Array) -> dict[str, Array]:
  """What to watch in training: means over videos and frames.

  objects: kept for the next frame; tracked of them from the frame before, new: discovered.
  foreground_share: of the frame that objects cover.
  presence: of an object in a cell, before rejection; rejected: share of cells.
  left_out: objects that found no slot.
  """
  exists = frames.objects.exists
  dtype = frames.image.dtype
  tracked = frames.tracks.objects.exists.sum(2)
  new = jnp.maximum(exists.sum(2) - tracked, 0)
  return {
    "mse": ((frames.image - video) ** 2).mean(),
    "objects": exists.sum(2).mean(dtype=dtype),
    "tracked": tracked.mean(dtype=dtype),
    "new": new.mean(dtype=dtype),
    "foreground_share": frames.alpha.mean(),
    "presence": frames.proposals.proposed.mean(),
    "rejected": (1 - frames.proposals.accepted).mean(),
    "left_out": frames.left_out.mean(dtype=dtype),
  }


def scene_of(frames: Frames) -> Scene:
  """The scene: the kept objects, each a component, then the background.

  What is drawn but not kept as an object belongs to the background component. Masks sum to one, and
  their sum with the components is the reconstruction, to a hundred roundings. An identity is 0
  where there is no object.
  """
  views, objects = frames.views, frames.objects
  behind = 1 - views.masks.sum(2, keepdims=True)
  shown = (views.masks * views.components).sum(2)
  least = VISIBLE * jnp.finfo(behind.dtype).eps
  rest = (frames.image - shown)[:, :, None] / jnp.maximum(behind, least)
  # Behind objects that cover everything, rounding is all that is left of it.
  rest = jnp.where(behind > least, rest, frames.background.image[:, :, None])
  latents = objects.what
  slots = latents.shape[2]
  return Scene(
    image=frames.image,
    masks=jnp.concatenate([views.masks, behind], axis=2),
    components=jnp.concatenate([views.components, rest], axis=2),
    latents=jnp.concatenate([latents, jnp.zeros_like(latents[:, :, :1])], axis=2),
    other_masks={"alpha": jnp.stack([frames.alpha, 1 - frames.alpha], axis=2)},
    background=jnp.asarray(np.arange(slots + 1) == slots),
    boxes=image_boxes(objects.box),
    presence=objects.presence[..., 0],
    identity=objects.identity,
  )
