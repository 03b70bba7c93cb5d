"""Golden cases of MONet: the published network's numbers from its own state dict."""

from objectcentric_jax.checkpoint_import import monet as importer
from objectcentric_jax.models.monet import Posterior, make_task
from objectcentric_jax.nn.noise import NOISE
from tests.golden import case as golden
from tests.golden import elbo_training


def outputs(posterior: Posterior, terms: dict) -> dict:
  """What the published model returns, in its layout: slots first, channels before space."""
  return {
    "recon": golden.nchw(posterior.image),
    "log_m_k": golden.slot_images(posterior.log_masks),
    "log_s_k": golden.slot_images(posterior.log_scope),
    "x_r_k": golden.slot_images(posterior.components),
    "log_m_r_k": golden.slot_images(posterior.decoded_log_masks),
    "comp_mu_k": golden.slots_first(posterior.mean),
    "comp_sigma_k": golden.slots_first(posterior.deviation),
    "comp_z_k": golden.slots_first(posterior.latents),
    "err": terms["reconstruction"],
    "kl_m": terms["kl_mask"],
    "kl_l_k": terms["kl_latent"].T,
  }


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Everything `elbo_training.check` compares."""
  model = importer.model_config(elbo_training.published_flags(case))

  def samples(network):
    # As many scenes and slots as the case holds.
    given = elbo_training.slots_drawn(arrays, {"inputs/sample_eps_comp": "latent"})
    slots = arrays["outputs/sample_x_k"].shape[0]
    count, rngs = arrays["outputs/sample"].shape[0], {NOISE: elbo_training.KEY}

    def draw(variables):
      return network.apply(variables, count, given, slots, method="generate", rngs=rngs)

    return draw, elbo_training.scene_outputs

  draws = elbo_training.slots_drawn(arrays, {"inputs/eps_comp": "latent"})
  return elbo_training.check(case, arrays, importer, make_task, model, draws, outputs, samples)
