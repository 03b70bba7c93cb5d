"""Names of published baseline VAE checkpoints (models/vae_config.py of applied-ai-lab/genesis)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.checkpoint_import import genesis_repository as repository
from objectcentric_jax.checkpoint_import.names import Target, convolution, layer, linear

MODULE = "objectcentric_jax.models.vae"
BROADCAST_LAYERS = 4


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our parameter, for `config.model`."""
  names = repository.gated_encoder_table("vae.q_z_nn", "encoder", normalised=False)
  names |= layer("vae.q_z_mean", "mean", linear)
  names |= layer("vae.q_z_var.0", "deviation", linear)
  if config["decoder_kind"] == "broadcast":
    names |= repository.broadcast_decoder_table(
      "vae.p_x_nn.1", "decoder/broadcast", BROADCAST_LAYERS
    )
    return names | layer("vae.p_x_mean", "decoder/output", convolution)
  return names | repository.gated_decoder_table(
    "vae.p_x_nn", "decoder", "vae.p_x_mean", normalised=False
  )


def import_parameters(
  state_dict: Mapping[str, np.ndarray],
  config: Mapping[str, Any],
  template: Any,
  source: str,
  dtype: type = np.float32,
) -> Any:
  """Parameter tree from a published state dict; strict both ways (see `names.convert`)."""
  return repository.import_tree(state_dict, table(config), template, source, dtype)


import_model_state = repository.import_geco_state
steps_done = repository.steps_done


def model_config(flags: Mapping[str, Any]) -> dict[str, Any]:
  """`config.model` for the published code's flags (its flags.json) with img_size."""
  return {
    "side": flags["img_size"],
    "latents": flags["latent_dimension"],
    "decoder_kind": "broadcast" if flags["broadcast_decoder"] else "transposed",
    "bounded_pixels": flags["pixel_bound"],
    "pixel_deviation": flags["pixel_std"],
    "geco": repository.geco_config(flags),
    "dtype": "float32",
  }
