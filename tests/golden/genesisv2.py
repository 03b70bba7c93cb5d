"""Golden cases of GENESIS-V2: the published network's numbers from its own state dict."""

import jax
import numpy as np

from objectcentric_jax.checkpoint_import import genesis_v2 as importer
from objectcentric_jax.models.genesis_v2 import GenesisV2, Grouping, Posterior, make_task
from objectcentric_jax.nn.noise import NOISE
from tests.golden import case as golden
from tests.golden import elbo_training


def posterior_draws(arrays: dict, slots: int) -> dict:
  """Recorded draws under our names; what was not recorded stood at its mean.

  A single image with dynamic slots recorded noise of the slots it needed.
  """
  given = prior_draws(arrays, "inputs/eps")
  if given:
    lacking = slots - given["latent"].shape[1]
    given["latent"] = np.pad(given["latent"], ((0, 0), (0, lacking), (0, 0)))
  return given | {"field": golden.images(arrays["inputs/rand_pixel"])}


def prior_draws(arrays: dict, name: str = "inputs/sample_eps") -> dict:
  """Recorded noise of the latents, if any: [K, B, D] to ours."""
  return {"latent": np.moveaxis(arrays[name], 0, 1)} if name in arrays else {}


def model_config(case: dict) -> dict:
  """`config.model` for the flags of the published code."""
  training = case.get("train_steps_config", {})
  flags = {**case["config"], "geco": training.get("geco", "train_steps" in case)}
  flags |= {name: value for name, value in training.items() if name.startswith("g_")}
  # The published code decodes slots that an image did not need unless the batch is one image.
  decode = case["config"]["batch_size"] > 1
  return {**importer.model_config(flags), "decode_missing_slots": decode}


def slot_outputs(posterior: Posterior) -> dict:
  """What the published model returns, in its layout: slots first, channels before space."""
  grouping: Grouping = posterior.grouping
  return {
    "recon": golden.nchw(posterior.image),
    "log_m_k": golden.slot_images(grouping.log_masks),
    "m_k": golden.slot_images(np.exp(grouping.log_masks)),
    "log_s_k": golden.slot_images(grouping.log_scope),
    "x_r_k": golden.slot_images(posterior.components),
    "log_m_r_k": golden.slot_images(posterior.log_masks),
    "comp_mu_k": golden.slots_first(posterior.mean),
    "comp_sigma_k": golden.slots_first(posterior.deviation),
    "comp_z_k": golden.slots_first(posterior.latents),
    "comp_pmu_k": golden.slots_first(posterior.prior_mean),
    "comp_psigma_k": golden.slots_first(posterior.prior_deviation),
    "colour": golden.nchw(posterior.embedding),
    "seeds": golden.slots_first(grouping.seeds),
    "delta": None if posterior.offset is None else golden.nchw(posterior.offset),
  }


def loss_outputs(terms, latent_kl, posterior: Posterior, image, beta: float) -> dict:
  """Loss terms per image and their means, under the published names."""
  return {
    **elbo_training.mean_terms(terms, beta),
    "err": terms["reconstruction"],
    "kl_m": terms.get("kl_mask", np.zeros_like(terms["reconstruction"])),
    "kl_l_k": latent_kl.T,
    "mse": ((posterior.image - image) ** 2).mean(),
  }


def only_found_slots(actual: dict, found) -> dict:
  """A single image of the published code carries just the slots it needed."""
  count, slots = int(found[0].sum()), found.shape[1]
  steps = min(count, slots - 1)  # a rejected step leaves its seed behind
  per_slot = ("log_m_k", "log_s_k", "x_r_k", "log_m_r_k", "kl_l_k", "m_k")
  per_slot += ("comp_mu_k", "comp_sigma_k", "comp_z_k", "comp_pmu_k", "comp_psigma_k")
  cut = {name: actual[name][:count] for name in per_slot}
  return {**actual, **cut, "seeds": actual["seeds"][:steps]}


def sample_outputs(case: dict, arrays: dict, network: GenesisV2, params) -> dict:
  """Scenes drawn from the prior, as many and of as many slots as the case holds."""
  shapes = {name: arrays[f"outputs/{name}"].shape for name in case["outputs"] if "sample" in name}
  if not shapes:
    return {}
  count = shapes["sample"][0] if "sample" in shapes else next(iter(shapes.values()))[1]
  slots = next((shape[0] for name, shape in shapes.items() if name != "sample"), network.slots)
  draw = jax.jit(
    lambda params, given: network.apply(
      {"params": params}, count, slots, given, method=GenesisV2.generate, rngs={NOISE: KEY}
    )
  )
  samples = jax.device_get(draw(params, prior_draws(arrays)))
  return {
    "sample": golden.nchw(samples.image),
    "sample_log_m_k": golden.slot_images(samples.log_masks),
    "sample_x_k": golden.slot_images(samples.components),
  }


KEY = jax.random.key(0)  # asked for by `apply`; every draw is given or stands at its mean


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Forward pass, samples, gradients of every parameter, and optimiser steps."""
  config, model = case["config"], model_config(case)
  task, table = make_task(model), importer.table(model)
  image = golden.images(arrays["inputs/image"])
  given = posterior_draws(arrays, model["slots"])
  template, _ = jax.eval_shape(task.init, KEY, {"image": image})
  dtype = golden.parameter_dtype(case)
  params = importer.import_parameters(case["state_dict"], model, template, "golden case", dtype)

  def explain(params):
    posterior = task.posterior(params, image, KEY, given)
    return task.objective_terms(posterior, image), (posterior, task.latent_kl(posterior))

  terms, (posterior, latent_kl), results = elbo_training.run(case, table, params, explain)
  actual = slot_outputs(posterior)
  actual |= loss_outputs(terms, latent_kl, posterior, image, config["beta"])
  if config["dynamic_K"] and config["batch_size"] == 1:
    actual = only_found_slots(actual, posterior.grouping.found)
  actual |= sample_outputs(case, arrays, task.network, params)
  results = golden.compare(case, arrays, actual) + results
  model_state = importer.import_model_state({}, model, "golden case")
  return results + elbo_training.check_steps(case, task, params, model_state, image, given)
