"""Golden cases of GECO: the multiplier's path for a recorded sequence of errors."""

import jax
import jax.numpy as jnp

from objectcentric_jax.losses.geco import geco_start, geco_update
from tests.golden import case as golden


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Runs the update over the recorded errors."""
  config = case["config"]
  errors, divergences = (jnp.asarray(arrays[f"inputs/{name}"]) for name in ("err", "kld"))

  def step(geco, inputs):
    error, divergence = inputs
    after = geco_update(
      geco,
      error,
      goal=config["g_goal"] * 3 * config["img_size"] ** 2,
      step_size=config["g_lr"] * 64**2 / config["img_size"] ** 2,
      decay=config["g_alpha"],
      speedup=config["g_speedup"],
      minimum=config["g_min"],
      maximum=config["beta_max"],
    )
    return after, {
      "beta_used": geco.multiplier,
      "beta_after": after.multiplier,
      "err_ema": after.error_average,
      "loss": error + geco.multiplier * divergence,
    }

  start = geco_start(config["g_init"])
  errors, divergences = errors.astype(jnp.float32), divergences.astype(jnp.float32)
  _, path = jax.lax.scan(step, start, (errors, divergences))
  return [
    golden.Result(
      name, golden.elementwise_error(path[name], arrays[f"outputs/{name}"]), about["tolerance"]
    )
    for name, about in case["outputs"].items()
  ]
