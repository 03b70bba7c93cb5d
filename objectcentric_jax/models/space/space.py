"""SPACE (Lin, Wu, Peri, Sun, Singh, Deng, Jiang and Ahn, ICLR 2020, arXiv 2001.02407).

An image is a mixture of a foreground, objects in the cells of a grid that are all found and drawn
at once, and a background of a few components; one evidence lower bound trains both.

Published code: space/model.py of zhixuan-lin/SPACE.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.losses.gaussian import log_normal
from objectcentric_jax.losses.masks import mask_report
from objectcentric_jax.models.space.background import (
  MASK_ORDER,
  Background,
  BackgroundNetwork,
  decoder_factors,
)
from objectcentric_jax.models.space.foreground import Foreground, ForegroundNetwork, grid_strides
from objectcentric_jax.nn.compute import compute_dtype, unroll_length
from objectcentric_jax.nn.glimpses import image_boxes
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import NOISE, Sample
from objectcentric_jax.plots.boxes import box_panel, draw_boxes
from objectcentric_jax.scene import Scene

Array = jax.Array

ALPHA_FLOOR = 1e-5  # added before the logarithms of alpha and 1 - alpha
BOUNDARY_DEVIATION = 0.7
GLIMPSE_SIDES = (8, 16, 32)
# What of the model depends on the step, all from the schedules of these names.
SCHEDULED = (
  "presence_prior",  # probability of an object in a cell
  "scale_prior_mean",  # logit of the expected size of objects, as a share of the image
  "presence_temperature",  # of the relaxed presence
  "fixed_alpha",  # share of the foreground everywhere; negative: as inferred
  "fixed_presence",  # of every cell as far as it is drawn; negative: as inferred
  "boundary_weight",  # of the loss for objects that reach the rim of their box
)
SETTLED = SCHEDULED[:3]  # these keep their last values outside of training


@flax.struct.dataclass
class Posterior:
  """Everything SPACE computes for a batch of images.

  Attributes:
    foreground, background: of the two networks.
    alpha: [B, H, W, 1] share of the foreground in the image: the inferred or the fixed one.
    image: [B, H, W, 3] reconstruction.
  """

  foreground: Foreground
  background: Background
  alpha: Array
  image: Array


class Space(nn.Module):
  """Both networks. Randomness comes from the stream `noise`, or from the `sample` argument."""

  foreground: ForegroundNetwork
  background: BackgroundNetwork

  def __call__(
    self,
    image: Array,
    temperature: Array,
    fixed_alpha: Array,
    fixed_presence: Array,
    sample: Sample = True,
  ) -> Posterior:
    """Explains images [B, S, S, 3] in [0, 1].

    Args:
      image: the images.
      temperature, fixed_alpha, fixed_presence: values of schedules, see SCHEDULED.
      sample: as in `objectcentric_jax.nn.noise`; names of draws are those of both networks.
    """
    foreground = self.foreground(image, temperature, fixed_presence, sample)
    background = self.background(image, sample)
    inferred = foreground.alpha
    fixed = jnp.asarray(fixed_alpha, inferred.dtype)
    alpha = jnp.where(fixed < 0, inferred, fixed)
    return Posterior(
      foreground=foreground,
      background=background,
      alpha=alpha,
      image=alpha * foreground.image + (1 - alpha) * background.image,
    )


@dataclasses.dataclass(frozen=True)
class SpaceTask:
  """SPACE with its objective, as `objectcentric_jax.training.task.Task`; it draws no new scenes.

  Attributes:
    network: the model.
    foreground_deviation, background_deviation: of the likelihood of colours in [0, 1].
    scale_prior_deviation: of the logit of object sizes; its mean is a schedule.
    settled: values of the schedules SETTLED outside of training.
  """

  network: Space
  foreground_deviation: float
  background_deviation: float
  scale_prior_deviation: float
  settled: Mapping[str, float]

  @property
  def losses(self):
    return {"elbo": self.elbo}

  @property
  def panels(self):
    return {"boxes": self.box_pictures, "demo": self.demo_pictures}

  def init(self, rng, batch):
    rngs = {"params": rng, NOISE: rng}
    variables = dict(self.network.init(rngs, batch["image"], 1.0, -1.0, -1.0))
    params = variables.pop("params")
    return params, variables

  def elbo(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Negative evidence lower bound plus the boundary loss; `now` has the values of SCHEDULED."""
    image = batch["image"]
    posterior, model_state = self.training_posterior(params, model_state, image, now, rng, sample)
    terms = {n: v.mean() for n, v in self.objective_terms(posterior, image, now).items()}
    boundary = now["boundary_weight"] * boundary_error(posterior.foreground).mean()
    elbo = sum(terms.values())
    foreground = posterior.foreground
    probability = foreground.probability
    report = {
      **terms,
      "boundary": boundary,
      "elbo": elbo,
      "mse": ((posterior.image - image) ** 2).mean(),
      "objects": (probability > 0.5).sum((1, 2)).mean(dtype=probability.dtype),
      "foreground_share": foreground.alpha.mean(),
      **{f"background_{n}": v for n, v in mask_report(posterior.background.masks).items()},
    }
    return elbo + boundary, (model_state, report)

  def training_posterior(self, params, model_state, image, now, rng, sample: Sample = True):
    """Everything the network computes in training, and the model state after it."""
    names = ("presence_temperature", "fixed_alpha", "fixed_presence")
    arguments = (image, *(now[name] for name in names), sample)
    posterior, changed = self.network.apply(
      {"params": params, **model_state}, *arguments, rngs={NOISE: rng}, mutable=["batch_stats"]
    )
    return posterior, model_state | changed

  def posterior(self, params, model_state, image, rng, sample: Sample = True) -> Posterior:
    """Everything the network computes for images [B, S, S, 3], in evaluation mode."""
    arguments = (image, self.settled["presence_temperature"], -1.0, -1.0, sample)
    return self.network.apply({"params": params, **model_state}, *arguments, rngs={NOISE: rng})

  def objective_terms(
    self, posterior: Posterior, image: Array, now: Mapping[str, Array]
  ) -> dict[str, Array]:
    """Terms of the objective per image, [B], in nats; their sum is the negative ELBO."""
    foreground, background = self.log_likelihoods(posterior, image)
    divergences = posterior.foreground.divergences(
      now["presence_prior"], now["scale_prior_mean"], self.scale_prior_deviation
    )
    return {
      "reconstruction": -mixed_log_likelihood(foreground, background, posterior.alpha),
      **divergences,
      "kl_background": posterior.background.kl(),
    }

  def log_likelihoods(self, posterior: Posterior, image: Array) -> tuple[Array, Array]:
    """Of the image under foreground and background alone: each [B, H, W, C], in nats."""
    image = at_least_float32(image)
    foreground = log_normal(image, posterior.foreground.image, self.foreground_deviation)
    return foreground, posterior.background.log_likelihood(image, self.background_deviation)

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    return scene_of(self.posterior(params, model_state, batch["image"], rng, sample))

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    posterior = self.posterior(params, model_state, batch["image"], rng, sample)
    return self.objective_terms(posterior, batch["image"], self.settled)

  def box_pictures(self, params, model_state, batch, rng):
    """Boxes over the images; latents at their means."""
    return box_panel(self.scene(params, model_state, batch, rng, sample=False), batch)

  def demo_pictures(self, params, model_state, batch, rng):
    """The tiles of the published demonstration; latents at their means."""
    posterior = self.posterior(params, model_state, batch["image"], rng, sample=False)
    return demo_panel(posterior, batch["image"])


def mixed_log_likelihood(foreground: Array, background: Array, alpha: Array) -> Array:
  """Log likelihood of the mixture of both per pixel and channel, summed: [B], nats.

  Args:
    foreground, background: log likelihoods [B, H, W, C].
    alpha: [B, H, W, 1] share of the foreground.
  """
  foreground = foreground + jnp.log(alpha + ALPHA_FLOOR)
  background = background + jnp.log(1 - alpha + ALPHA_FLOOR)
  return jnp.logaddexp(foreground, background).sum((1, 2, 3))


def boundary_error(foreground: Foreground) -> Array:
  """How unlikely it is that objects reach the rims of their boxes: [B], nats."""
  overlap = foreground.boundary * foreground.alpha
  return -log_normal(overlap, 0.0, BOUNDARY_DEVIATION).sum((1, 2, 3))


def scene_of(posterior: Posterior) -> Scene:
  """The scene: the foreground as one component, then those of the background.

  The boxes are those of all cells, their presence the probability of an object; the latents say
  what is in the boxes. The mask stack "objects" has a mask for each cell, then those of the
  background.
  """
  foreground, background, alpha = posterior.foreground, posterior.background, posterior.alpha
  behind = (1 - alpha)[:, None] * background.masks
  count = 1 + background.masks.shape[1]
  return Scene(
    image=posterior.image,
    masks=jnp.concatenate([alpha[:, None], behind], axis=1),
    components=jnp.concatenate([foreground.image[:, None], background.components], axis=1),
    other_masks={"objects": jnp.concatenate([foreground.masks, behind], axis=1)},
    latents=foreground.what.mean,
    background=jnp.asarray(np.arange(count) > 0),
    boxes=image_boxes(foreground.boxes),
    presence=foreground.probability[..., 0],
  )


def demo_panel(posterior: Posterior, image: Array) -> dict[str, Array]:
  """The tiles of the published demonstration, in its order: row -> [B, H, W, 1 or 3].

  Image, reconstruction, foreground without and with boxes (as bright as they are drawn to be
  present), background, the background's components under their masks, masks, components, alpha.
  """
  foreground, background = posterior.foreground, posterior.background
  boxes, presence = image_boxes(foreground.boxes), foreground.presence[..., 0]
  rows = {
    "image": image,
    "reconstruction": posterior.image,
    "foreground": foreground.image,
    "foreground, boxes": draw_boxes(foreground.image, boxes, presence),
    "background": background.image,
  }
  stacks = {
    "masked": background.masks * background.components,
    "mask": background.masks,
    "component": background.components,
  }
  for name, stack in stacks.items():
    rows |= {f"{name} {k + 1}": stack[:, k] for k in range(stack.shape[1])}
  return {**rows, "alpha": posterior.alpha}


FOREGROUND_FIELDS = {
  "side": "side",
  "grid": "grid",
  "glimpse": "glimpse",
  "encoder_features": "features",
  "object_latents": "latents",
  "rematerialise": "rematerialise",
}
BACKGROUND_FIELDS = {
  "side": "side",
  "background_components": "slots",
  "background_features": "features",
  "mask_latents": "mask_latents",
  "component_latents": "component_latents",
  "mask_hidden": "hidden",
  "component_prior_hidden": "prior_hidden",
}
TASK_FIELDS = ("foreground_deviation", "background_deviation", "scale_prior_deviation")


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> SpaceTask:
  """Builds the task from `config.model`.

  Fields: those of FOREGROUND_FIELDS and BACKGROUND_FIELDS, as in `ForegroundNetwork` and
  `BackgroundNetwork`; those of `SpaceTask`, `settled` with a value for each of SETTLED; `unroll`
  (0 chooses) and `dtype` ("float32" or "bfloat16").

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  fields = dict.fromkeys((*FOREGROUND_FIELDS, *BACKGROUND_FIELDS, *TASK_FIELDS))
  check_fields("config.model", config, (*fields, "settled", "unroll", "dtype"))
  check_fields("config.model.settled", config["settled"], SETTLED)
  decoder_factors(config["side"], MASK_ORDER)
  grid_strides(config["side"], config["grid"])
  slots = config["background_components"]
  if slots < 1:
    raise InputError(f"config.model.background_components is {slots}: at least 1 is needed")
  if config["glimpse"] not in GLIMPSE_SIDES:
    known = ", ".join(map(str, GLIMPSE_SIDES))
    raise InputError(f"config.model.glimpse is {config['glimpse']}: choose one of {known}")
  settled = {name: config["settled"][name] for name in SETTLED}
  positive = {name: config[name] for name in TASK_FIELDS}
  positive["settled.presence_temperature"] = settled["presence_temperature"]
  for name, value in positive.items():
    if value <= 0:
      raise InputError(f"config.model.{name} is {value}: a number above 0 is needed")
  dtype = compute_dtype(config["dtype"])
  foreground = {ours: config[name] for name, ours in FOREGROUND_FIELDS.items()}
  background = {ours: config[name] for name, ours in BACKGROUND_FIELDS.items()}
  network = Space(
    foreground=ForegroundNetwork(**foreground, dtype=dtype),
    background=BackgroundNetwork(
      **background,
      unroll=unroll_length(config["unroll"], slots),
      dtype=dtype,
      axis_name=axis_name,
    ),
  )
  return SpaceTask(network=network, **{name: config[name] for name in TASK_FIELDS}, settled=settled)
