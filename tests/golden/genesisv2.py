"""Golden cases of GENESIS-V2: the published network's numbers from its own state dict."""

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
  given = elbo_training.slots_drawn(arrays, {"inputs/eps": "latent"})
  if given:
    lacking = slots - given["latent"].shape[1]
    given["latent"] = np.pad(given["latent"], ((0, 0), (0, lacking), (0, 0)))
  return given | {"field": golden.images(arrays["inputs/rand_pixel"])}


def model_config(case: dict) -> dict:
  """`config.model` for the flags of the published code."""
  # The published code decodes slots that an image did not need unless the batch is one image.
  decode = case["config"]["batch_size"] > 1
  flags = elbo_training.published_flags(case)
  return {**importer.model_config(flags), "decode_missing_slots": decode}


def slot_outputs(posterior: Posterior, terms: dict) -> dict:
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
    "err": terms["reconstruction"],
    "kl_m": terms.get("kl_mask", np.zeros_like(terms["reconstruction"])),
    "kl_l_k": terms["kl_latent"].T,
  }


def only_found_slots(actual: dict, found) -> dict:
  """A single image of the published code carries just the slots it needed."""
  count, slots = int(found[0].sum()), found.shape[1]
  steps = min(count, slots - 1)  # a rejected step leaves its seed behind
  per_slot = ("log_m_k", "log_s_k", "x_r_k", "log_m_r_k", "kl_l_k", "m_k")
  per_slot += ("comp_mu_k", "comp_sigma_k", "comp_z_k", "comp_pmu_k", "comp_psigma_k")
  cut = {name: actual[name][:count] for name in per_slot}
  return {**actual, **cut, "seeds": actual["seeds"][:steps]}


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Everything `elbo_training.check` compares."""
  config, model = case["config"], model_config(case)

  def outputs(posterior, terms):
    actual = slot_outputs(posterior, terms)
    if config["dynamic_K"] and config["batch_size"] == 1:
      return only_found_slots(actual, posterior.grouping.found)
    return actual

  def samples(network):
    # As many scenes and slots as the case holds.
    shapes = {name: arrays[f"outputs/{name}"].shape for name in case["outputs"]}
    count = shapes["sample"][0] if "sample" in shapes else shapes["sample_x_k"][1]
    slots = shapes["sample_x_k"][0] if "sample_x_k" in shapes else network.slots
    given = elbo_training.slots_drawn(arrays, {"inputs/sample_eps": "latent"})
    rngs = {NOISE: elbo_training.KEY}

    def draw(variables):
      return network.apply(variables, count, given, slots, method=GenesisV2.generate, rngs=rngs)

    return draw, elbo_training.scene_outputs

  draws = posterior_draws(arrays, model["slots"])
  return elbo_training.check(case, arrays, importer, make_task, model, draws, outputs, samples)
