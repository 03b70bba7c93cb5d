"""Golden cases of GENESIS: the published network's numbers from its own state dict."""

import numpy as np

from objectcentric_jax.checkpoint_import import genesis as importer
from objectcentric_jax.models.genesis import Moments, Posterior, make_task
from objectcentric_jax.nn.noise import NOISE
from tests.golden import case as golden
from tests.golden import elbo_training

POSTERIOR_NOISE = {"inputs/eps_mask": "mask_latent", "inputs/eps_comp": "component_latent"}
PRIOR_NOISE = {
  "inputs/sample_eps_mask": "mask_latent",
  "inputs/sample_eps_comp": "component_latent",
}


def moment_outputs(prefix: str, moments: Moments | None) -> dict:
  """Posterior and prior of one kind of latents under the published names."""
  if moments is None:
    return {}
  return {
    f"{prefix}_mu_k": golden.slots_first(moments.mean),
    f"{prefix}_sigma_k": golden.slots_first(moments.deviation),
    f"{prefix}_z_k": golden.slots_first(moments.latents),
    f"{prefix}_pmu_k": golden.slots_first(moments.prior_mean),
    f"{prefix}_psigma_k": golden.slots_first(moments.prior_deviation),
  }


def outputs(posterior: Posterior, terms: dict) -> dict:
  """What the published model returns, in its layout: slots first, channels before space."""
  scope = posterior.log_scope
  if scope is None:  # one slot: the published code stands a scope of next to nothing here
    scope = np.full_like(posterior.log_masks, -1e10)
  error = terms["reconstruction"]
  return {
    "recon": golden.nchw(posterior.image),
    "log_m_k": golden.slot_images(posterior.log_masks),
    "log_s_k": golden.slot_images(scope),
    "x_r_k": golden.slot_images(posterior.components),
    **moment_outputs("mask", posterior.masks),
    **moment_outputs("comp", posterior.parts),
    "err": error,
    "kl_m": np.zeros((), error.dtype),
    "kl_m_k": terms["kl_mask"].T if "kl_mask" in terms else None,
    "kl_l_k": terms["kl_latent"].T if "kl_latent" in terms else None,
  }


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Everything `elbo_training.check` compares."""
  model = importer.model_config(elbo_training.published_flags(case))

  def samples(network):
    count = arrays["outputs/sample"].shape[0]
    given = elbo_training.slots_drawn(arrays, PRIOR_NOISE)
    rngs = {NOISE: elbo_training.KEY}

    def draw(variables):
      return network.apply(variables, count, given, method="generate", rngs=rngs)

    return draw, elbo_training.scene_outputs

  draws = elbo_training.slots_drawn(arrays, POSTERIOR_NOISE)
  return elbo_training.check(case, arrays, importer, make_task, model, draws, outputs, samples)
