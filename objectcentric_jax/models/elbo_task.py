"""What the image models trained on an evidence lower bound share as tasks."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.losses.geco import GECO_FIELDS, geco_start, geco_step
from objectcentric_jax.losses.masks import mask_report
from objectcentric_jax.nn.noise import NOISE, Sample
from objectcentric_jax.scene import Scene

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class ElboTask(abc.ABC):
  """A network with its objective, as `objectcentric_jax.training.task.Task`.

  The loss is the reconstruction error plus the KL terms times a multiplier. The network is called
  as `network(image, sample)` and returns what it computed, its posterior; `network.generate(count,
  sample)` and `network.decode(latents)` return the same kind of thing as far as it applies.

  Attributes:
    network: the model.
    pixel_deviation: of the likelihood of colours in [0, 1].
    geco: constraint on the error (GECO_FIELDS; `goal` in nats per value), or None for a weight
      "beta" from the schedules.
    axis_name: device axis to average the error over, under pmap.
  """

  network: nn.Module
  pixel_deviation: float = 0.7
  geco: Mapping[str, float] | None = None
  axis_name: str | None = None

  @abc.abstractmethod
  def objective_terms(self, posterior: Any, image: Array) -> dict[str, Array]:
    """Terms of the objective, in nats: per image [B], or per image and component [B, K].

    "reconstruction" is the error; all others are divergences. Their sum is the negative ELBO.
    """

  @abc.abstractmethod
  def scene_of(self, result: Any) -> Scene:
    """The scene in a posterior of the network, or in what it generated or decoded."""

  def details(self, params: Any, posterior: Any) -> dict[str, Array]:
    """Further scalars to report."""
    del params, posterior
    return {}

  @property
  def losses(self):
    return {"elbo": self.elbo}

  def init(self, rng, batch):
    variables = dict(self.network.init({"params": rng, NOISE: rng}, batch["image"]))
    params = variables.pop("params")
    if self.geco is not None:
      variables["geco"] = geco_start(self.geco["start"])
    return params, variables

  def elbo(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Reconstruction error plus the weighted KL terms."""
    image = batch["image"]
    posterior, model_state = self.training_posterior(params, model_state, image, rng, sample)
    report = {}
    for name, value in self.objective_terms(posterior, image).items():
      report[name] = total(value).mean()
      if value.ndim == 2:
        report |= {f"{name}/{k + 1}": value[:, k].mean() for k in range(value.shape[1])}
    error = report["reconstruction"]
    divergences = [v for name, v in report.items() if name != "reconstruction" and "/" not in name]
    divergence = sum(divergences)
    if self.geco is None:
      multiplier = now["beta"]
    else:
      multiplier = model_state["geco"].multiplier
      everywhere = error if self.axis_name is None else lax.pmean(error, self.axis_name)
      geco = geco_step(model_state["geco"], everywhere, self.geco, image.shape[1:])
      model_state = model_state | {"geco": geco}
    scene = self.scene_of(posterior)
    report |= {
      "elbo": error + divergence,
      "reconstruction_per_value": error / image[0].size,
      "mse": ((scene.image - image) ** 2).mean(),
      "multiplier": multiplier,
      **self.details(params, posterior),
    }
    if scene.masks is not None:
      report |= mask_report(scene.masks)
    return error + multiplier * divergence, (model_state, report)

  def training_posterior(self, params, model_state, image, rng, sample: Sample = True):
    """Everything the network computes in training, and the model state after it."""
    variables = self.variables(params, model_state)
    rngs, mutable = {NOISE: rng}, ["batch_stats"]
    posterior, changed = self.network.apply(variables, image, sample, rngs=rngs, mutable=mutable)
    return posterior, model_state | changed

  def posterior(self, params, model_state, image, rng, sample: Sample = True) -> Any:
    """Everything the network computes for images [B, S, S, 3], in evaluation mode."""
    variables = self.variables(params, model_state)
    return self.network.apply(variables, image, sample, rngs={NOISE: rng})

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    return self.scene_of(self.posterior(params, model_state, batch["image"], rng, sample))

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    posterior = self.posterior(params, model_state, batch["image"], rng, sample)
    terms = self.objective_terms(posterior, batch["image"])
    return {name: total(value) for name, value in terms.items()}

  def sample(self, params, model_state, rng, count):
    return self._scene_from("generate", params, model_state, count, rngs={NOISE: rng})

  def decode(self, params, model_state, latents):
    return self._scene_from("decode", params, model_state, latents)

  def _scene_from(self, method: str, params, model_state, argument, rngs=None) -> Scene:
    variables = self.variables(params, model_state)
    return self.scene_of(self.network.apply(variables, argument, method=method, rngs=rngs))

  def variables(self, params, model_state) -> dict[str, Any]:
    """What `network.apply` takes first: parameters and, where there are any, batch statistics."""
    kept = {name: model_state[name] for name in ("batch_stats",) if name in model_state}
    return {"params": params, **kept}


def total(term: Array) -> Array:
  """A term of the objective per image [B], whether it is that or per component [B, K]."""
  return term.sum(1) if term.ndim == 2 else term


def check_objective(config: Mapping[str, Any]) -> Mapping[str, float] | None:
  """The GECO settings of `config.model.geco`, or None where it is not used.

  Raises:
    InputError: a field is missing or unknown, or a pixel deviation is not above 0.
  """
  check_fields("config.model.geco", config["geco"], ("use", *GECO_FIELDS))
  for name in ("pixel_deviation", "first_pixel_deviation"):
    if config.get(name, 1.0) <= 0:
      raise InputError(f"config.model.{name} is {config[name]}: a number above 0 is needed")
  if not config["geco"]["use"]:
    return None
  return {name: config["geco"][name] for name in GECO_FIELDS}


def first_deviates(slots: int, first: float, others: float) -> Array:
  """Pixel deviations [1, K, 1, 1, 1] with a value of its own for the first component."""
  return jnp.asarray([first] + [others] * (slots - 1)).reshape(1, slots, 1, 1, 1)
