"""Names of published MONet checkpoints (models/monet_config.py of applied-ai-lab/genesis)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.checkpoint_import import genesis_repository as repository
from objectcentric_jax.checkpoint_import.names import Target, convolution, layer

MODULE = "objectcentric_jax.models.monet"
MASK_DECODERS = {"softmax": "softmax", "scope": "stick_breaking"}


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our parameter, for `config.model`."""
  side, core = config["side"], "att_process.core"
  names = repository.unet_table(core, "attention/encoder", side)
  names |= layer(f"{core}.final_conv", "attention/logit", convolution)
  layers = config["component_decoder_layers"]
  return names | repository.component_table("comp_vae", "component", side, layers)


def import_parameters(
  state_dict: Mapping[str, np.ndarray],
  config: Mapping[str, Any],
  template: Any,
  source: str,
  dtype: type = np.float32,
) -> Any:
  """Parameter tree from a published state dict; strict both ways (see `names.convert`)."""
  repository.check_deviations(state_dict, config, source)
  weights, _ = repository.split_state_dict(state_dict, {})
  return repository.import_tree(weights, table(config), template, source, dtype)


import_model_state = repository.import_geco_state
steps_done = repository.steps_done


def model_config(flags: Mapping[str, Any]) -> dict[str, Any]:
  """`config.model` for the published code's flags (its flags.json) with img_size and K_steps."""
  return {
    "side": flags["img_size"],
    "slots": flags["K_steps"],
    "attention_features": flags["filter_start"],
    "mask_decoder": MASK_DECODERS[flags["prior_mode"]],
    "component_latents": flags["comp_ldim"],
    "component_encoder_features": flags["comp_enc_channels"],
    "component_decoder_features": flags["comp_dec_channels"],
    "component_decoder_layers": flags["comp_dec_layers"],
    "bounded_pixels": flags["pixel_bound"],
    "pixel_deviation": flags["pixel_std2"],
    "first_pixel_deviation": flags["pixel_std1"],
    "analytic_kl": not flags["montecarlo_kl"],
    "geco": repository.geco_config(flags),
    "unroll": 0,
    "dtype": "float32",
  }
