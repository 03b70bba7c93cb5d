"""Names of published GENESIS-V2 checkpoints (models/genesisv2_config.py of applied-ai-lab/genesis).

A checkpoint holds model_state_dict, optimiser_state_dict, beta, iter_idx and, with GECO, err_ema.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.checkpoint_import.names import (
  Target,
  convert,
  convolution,
  layer,
  linear,
  linear_after_flatten,
  linear_before_unflatten,
  lstm,
  norm,
  same,
  transposed_convolution,
)
from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.geco import geco_start
from objectcentric_jax.nn.unet import unet_channels

MODULE = "objectcentric_jax.models.genesis_v2"


def unet_table(published: str, ours: str, side: int) -> dict[str, Target]:
  """Targets of `nn.unet.UNet` (the published `final_conv` is replaced by the identity here)."""
  table = {}
  for direction, channels in zip(("down", "up"), unet_channels(side, 1), strict=True):
    for i in range(len(channels)):
      block = f"{published}.{direction}.{i}"
      table |= layer(f"{block}.0", f"{ours}/{direction}_{i}/conv", convolution, bias=False)
      table |= norm(f"{block}.1", f"{ours}/{direction}_{i}/norm")
  table |= layer(f"{published}.mlp.1", f"{ours}/mlp_0", linear_after_flatten(4, 4))
  table |= layer(f"{published}.mlp.3", f"{ours}/mlp_1", linear)
  grow = linear_before_unflatten(4, 4)
  table[f"{published}.mlp.5.weight"] = Target(f"{ours}/mlp_2/kernel", grow)
  table[f"{published}.mlp.5.bias"] = Target(f"{ours}/mlp_2/bias", grow)
  return table


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our parameter, for `config.model`."""
  names = unet_table("encoder", "encoder", config["side"])
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
  return convert(state_dict, table(config), template, source, dtype=dtype)


def import_model_state(checkpoint: Mapping[str, Any], config, source: str) -> dict[str, Any]:
  """GECO's state as saved. The published code stores the multiplier used in its last step."""
  if not config["geco"]["use"]:
    return {}
  geco = geco_start(float(checkpoint.get("beta", config["geco"]["start"])))
  if checkpoint.get("err_ema") is None:
    return {"geco": geco}
  average = np.asarray(checkpoint["err_ema"], np.float32)
  if average.shape:
    raise InputError(f"{source}: err_ema has shape {average.shape}, a number is expected")
  return {"geco": geco.replace(error_average=average, updates=np.asarray(1, np.int32))}


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
    "decode_missing_slots": True,
    "pixel_deviation": flags["pixel_std1"],
    "mask_kl": flags["klm_loss"],
    "detach_decoded_masks": flags["detach_mr_in_klm"],
    "geco": {
      "use": flags.get("geco", True),
      "goal": flags.get("g_goal", 0.5655),
      "rate": flags.get("g_lr", 1e-5),
      "decay": flags.get("g_alpha", 0.99),
      "start": flags.get("g_init", 1.0),
      "minimum": flags.get("g_min", 1e-10),
      "speedup": flags.get("g_speedup", 10.0),
    },
    "unroll": 0,
    "dtype": "float32",
  }
