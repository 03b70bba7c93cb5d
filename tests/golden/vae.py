"""Golden cases of the baseline VAEs: the published network's numbers from its own state dict."""

from objectcentric_jax.checkpoint_import import vae as importer
from objectcentric_jax.models.vae import Posterior, make_task
from objectcentric_jax.nn.noise import NOISE
from tests.golden import case as golden
from tests.golden import elbo_training


def outputs(posterior: Posterior, terms: dict) -> dict:
  """What the published model returns, in its layout."""
  return {
    "recon": golden.nchw(posterior.image),
    "mu": posterior.mean,
    "sigma": posterior.deviation,
    "z": posterior.latents,
    "err": terms["reconstruction"],
    "kl_l": terms["kl_latent"],
  }


def noise(arrays: dict, name: str) -> dict:
  """Recorded noise of the latent, if any, [B, D]."""
  return {"latent": arrays[name]} if name in arrays else {}


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Everything `elbo_training.check` compares."""
  model = importer.model_config(elbo_training.published_flags(case))

  def samples(network):
    count, rngs = arrays["outputs/sample"].shape[0], {NOISE: elbo_training.KEY}
    given = noise(arrays, "inputs/sample_eps")

    def draw(variables):
      return network.apply(variables, count, given, method="generate", rngs=rngs)

    return draw, lambda generated: {"sample": golden.nchw(generated.image)}

  draws = noise(arrays, "inputs/eps")
  return elbo_training.check(case, arrays, importer, make_task, model, draws, outputs, samples)
