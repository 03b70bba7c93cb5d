"""Pictures of what SCALOR does, which `experiments.visualise --what NAME` draws."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from objectcentric_jax.models.scalor.scalor import PALETTE, tinted

Array = jax.Array


def panels(task: Any) -> Mapping[str, Callable]:
  """Of a `ScalorTask`, by name.

  Each is (params, model_state, batch, rng) -> {row: frames [B, T, S, S, 3 or 1]}.

  parts: how each frame is put together, and the identities of its objects as colours.
  continued: the first frames of a clip and what the model imagines after them.
  """

  def parts(params, model_state, batch, rng):
    video = batch["video"]
    palette = jnp.asarray(PALETTE)
    frames = task.frames(params, model_state, batch, rng, palette=palette)
    return {
      "video": video,
      "reconstruction": frames.image,
      "tracked": frames.views.tracked,
      "new": frames.views.new,
      "background": frames.background.image,
      "alpha": frames.alpha,
      "identities": tinted(video, frames.alpha, frames.views.tint),
    }

  def continued(params, model_state, batch, rng):
    scene = task.continued(params, model_state, batch, rng, task.observed_frames)
    return {"video": batch["video"], "continued": scene.image}

  return {"parts": parts, "continued": continued}
