"""Names of published GENESIS-V2 checkpoints (genesisv2_config.py of applied-ai-lab/genesis)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.checkpoint_import import genesis_repository as repository
from objectcentric_jax.checkpoint_import.names import (
  Target,
  convolution,
  layer,
  linear,
  lstm,
  norm,
  same,
  transposed_convolution,
)
from objectcentric_jax.errors import InputError

MODULE = "objectcentric_jax.models.genesis_v2"
PUBLISHED = {"decode_missing_slots": True}  # checkpoints trained with dynamic_K learned it so
OWN = {"encoder_coordinates": False, "own_colours": 0.0, "first_width": 0.0, "first_deviation": 0.0}


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our parameter, for `config.model`."""
  names = repository.unet_table("encoder", "encoder", config["side"])
  names["att_process.log_sigma"] = Target("log_kernel_width", same)
  colour = "att_process.colour_head"
  if config["semiconvolutional"]:
    names |= layer(f"{colour}.conv", "embedding/conv", convolution)
    names[f"{colour}.gate.gate"] = Target("embedding/gate", same)
  else:
    names |= layer(colour, "embedding/conv", convolution)
  for published, ours in (("seg_head", "segmentation_head"), ("feat_head.0", "feature_head")):
    names |= layer(f"{published}.0", f"{ours}/conv", convolution, bias=False)
    names |= norm(f"{published}.1", f"{ours}/norm")
  names |= layer("feat_head.1", "feature_projection", convolution)
  names |= norm("z_head.0", "posterior/norm")
  names |= layer("z_head.1", "posterior/hidden", linear)
  names |= layer("z_head.3", "posterior/moments", linear)
  for i in range(4):
    position = 1 + 3 * i
    ours = f"decoder/conv_{i}"
    names |= layer(f"decoder_module.{position}", ours, transposed_convolution)
    names |= norm(f"decoder_module.{position + 1}", f"decoder/norm_{i}")
  names |= layer("decoder_module.13", "decoder/colour_and_mask", convolution)
  if config["autoregressive_prior"] and config["slots"] > 1:
    names |= lstm("prior_lstm", "prior/lstm")
    names |= layer("prior_linear", "prior/moments", linear)
  return names


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
  """`config.model` for the published code's flags (its flags.json) with img_size and K_steps.

  Raises:
    InputError: the flags ask for something the published model could not do either.
  """
  if flags["pixel_std1"] != flags["pixel_std2"]:
    found = f"{flags['pixel_std1']} and {flags['pixel_std2']}"
    raise InputError(f"flags pixel_std1 and pixel_std2 are {found}: this model needs them equal")
  return {
    "side": flags["img_size"],
    "slots": flags["K_steps"],
    "features": flags["feat_dim"],
    "norm_groups": 8,
    "kernel": flags["kernel"],
    "semiconvolutional": flags["semiconv"],
    "autoregressive_prior": flags["autoreg_prior"],
    "bounded_pixels": flags["pixel_bound"],
    "smallest_segment": 20.0 if flags["dynamic_K"] else 0.0,
    **OWN,
    **PUBLISHED,
    "pixel_deviation": flags["pixel_std1"],
    "mask_kl": flags["klm_loss"],
    "mask_kl_weight": 1.0,
    "detach_decoded_masks": flags["detach_mr_in_klm"],
    "geco": repository.geco_config(flags),
    "unroll": 0,
    "dtype": "float32",
  }
