"""Names of published GENESIS checkpoints (models/genesis_config.py of applied-ai-lab/genesis)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from objectcentric_jax.checkpoint_import import genesis_repository as repository
from objectcentric_jax.checkpoint_import.names import Target, layer, linear, lstm
from objectcentric_jax.errors import InputError

MODULE = "objectcentric_jax.models.genesis"
PUBLISHED = {"squash_sampled_means": False}  # FID scores of published checkpoints were made so

steps_done = repository.steps_done


def _gated_tables(config: Mapping[str, Any]) -> tuple[dict[str, Target], dict[str, Target]]:
  """Targets of everything with an encoder's and with a decoder's normalisation."""
  encoders, decoders = {}, {}
  encoder_norm, decoder_norm = config["encoder_norm"] != "none", config["decoder_norm"] != "none"
  if config["slots"] > 1:
    core = "att_process.core"
    encoders |= repository.gated_encoder_table(
      f"{core}.q_z_nn", "mask_posterior/encoder", encoder_norm
    )
    decoders |= repository.gated_decoder_table(
      f"{core}.p_x_nn", "mask_decoder", f"{core}.p_x_mean", decoder_norm
    )
  if config["two_stage"] and config["symmetric_components"]:
    encoders |= repository.gated_encoder_table(
      "comp_vae.encoder_module.0", "component/encoder", encoder_norm
    )
    decoder = "comp_vae.decoder_module"
    decoders |= repository.gated_decoder_table(
      f"{decoder}.1", "component/decoder", f"{decoder}.2", decoder_norm
    )
  return encoders, decoders


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our parameter, for `config.model`."""
  encoders, decoders = _gated_tables(config)
  names = encoders | decoders
  if config["slots"] > 1:
    names |= layer("att_process.core.q_z_mean", "mask_posterior/first_mean", linear)
    names |= layer("att_process.core.q_z_var.0", "mask_posterior/first_deviation", linear)
    names |= lstm("att_process.lstm", "mask_posterior/lstm")
    names |= layer("att_process.linear", "mask_posterior/moments", linear)
    if config["autoregressive_prior"]:
      names |= lstm("prior_lstm", "mask_prior/lstm")
      names |= layer("prior_linear", "mask_prior/moments", linear)
  layers = config["component_decoder_layers"]
  if not config["two_stage"]:
    return names | repository.broadcast_decoder_table("decoder", "decoder", layers)
  if not config["symmetric_components"]:
    names |= repository.component_table("comp_vae", "component", config["side"], layers)
  if config["component_prior"] and config["slots"] > 1:
    names |= layer("prior_mlp.0", "component_prior_network/hidden_0", linear)
    names |= layer("prior_mlp.2", "component_prior_network/hidden_1", linear)
    names |= layer("prior_mlp.4", "component_prior_network/moments", linear)
  return names


def statistics_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our running statistic of a batch norm, for `config.model`."""
  encoders, decoders = _gated_tables(config)
  statistics = {}
  for norm, gated in (("encoder_norm", encoders), ("decoder_norm", decoders)):
    if config[norm] == "batch":
      statistics |= repository.running_statistics(gated)
  return statistics


def import_parameters(
  state_dict: Mapping[str, np.ndarray],
  config: Mapping[str, Any],
  template: Any,
  source: str,
  dtype: type = np.float32,
) -> Any:
  """Parameter tree from a published state dict; strict both ways (see `names.convert`)."""
  repository.check_deviations(state_dict, config, source)
  weights, _ = repository.split_state_dict(state_dict, statistics_table(config))
  return repository.import_tree(weights, table(config), template, source, dtype)


def import_model_state(
  state_dict: Mapping[str, np.ndarray],
  checkpoint: Mapping[str, Any],
  config: Mapping[str, Any],
  template: Mapping[str, Any],
  source: str,
  dtype: type = np.float32,
) -> dict[str, Any]:
  """Running statistics and GECO's state."""
  model_state = repository.geco_state(checkpoint, config, source)
  statistics = statistics_table(config)
  if statistics:
    _, values = repository.split_state_dict(state_dict, statistics)
    model_state["batch_stats"] = repository.import_tree(
      values, statistics, template["batch_stats"], source, dtype
    )
  return model_state


def model_config(flags: Mapping[str, Any]) -> dict[str, Any]:
  """`config.model` for the published code's flags (its flags.json) with img_size and K_steps.

  Raises:
    InputError: the flags ask for something the published model could not do either.
  """
  if not flags["montecarlo_kl"]:
    raise InputError("flag montecarlo_kl is False: this model needs it True")
  return {
    "side": flags["img_size"],
    "slots": flags["K_steps"],
    "two_stage": flags["two_stage"],
    "autoregressive_prior": flags["autoreg_prior"],
    "component_prior": flags["comp_prior"],
    "mask_latents": flags["attention_latents"],
    "encoder_norm": repository.NORMS[flags["enc_norm"]],
    "decoder_norm": repository.NORMS[flags["dec_norm"]],
    "component_latents": flags["comp_ldim"],
    "component_encoder_features": flags["comp_enc_channels"],
    "component_decoder_features": flags["comp_dec_channels"],
    "component_decoder_layers": flags["comp_dec_layers"],
    "symmetric_components": flags.get("comp_symmetric", False),
    "bounded_pixels": flags["pixel_bound"],
    **PUBLISHED,
    "pixel_deviation": flags["pixel_std2"],
    "first_pixel_deviation": flags["pixel_std1"],
    "geco": repository.geco_config(flags),
    "unroll": 0,
    "dtype": "float32",
  }
