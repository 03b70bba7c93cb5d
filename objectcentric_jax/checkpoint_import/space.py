"""Names of published SPACE checkpoints (zhixuan-lin/SPACE), and its settings under our names.

A checkpoint holds model, optimizer_fg, optimizer_bg, epoch and global_step.
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
  norm,
  same,
)
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.space.background import BROADCAST_LAYERS, DECODER_BLOCKS
from objectcentric_jax.models.space.foreground import GLIMPSE_BLOCKS

MODULE = "objectcentric_jax.models.space.space"

FOREGROUND, BACKGROUND = "fg_module", "bg_module"
OFFSET = f"{FOREGROUND}.img_encoder.offset"
# Values of schedules and priors, and a layer without use.
NOT_WEIGHTS = (
  *(f"{FOREGROUND}.{name}" for name in ("tau", "prior_z_pres_prob", "boundary_filter.weight")),
  *(
    f"{FOREGROUND}.prior_{name}_{moment}"
    for name in ("what", "depth", "scale", "shift")
    for moment in ("mean", "std")
  ),
  OFFSET,
)
# What a single component does not use.
SINGLE_UNUSED = tuple(
  f"{BACKGROUND}.{name}" for name in ("mask_decoder.", "rnn_mask_prior.", "rnn_mask_c_prior")
)
BATCH_COUNTERS = (".num_batches_tracked",)


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our parameter, for `config.model`."""
  return foreground_table() | background_table(config)


def foreground_table() -> dict[str, Target]:
  """Published name -> our parameter, of the foreground."""
  names = {}
  encoder, ours = f"{FOREGROUND}.img_encoder", "foreground/encoder"
  for i, name in enumerate((*(f"reduce_{i}" for i in range(5)), "narrow")):
    names |= _normalised(f"{encoder}.enc", 3 * i, f"{ours}/{name}")
  for i in range(2):
    names |= _normalised(f"{encoder}.enc_lat", 3 * i, f"{ours}/lateral_{i}")
  names |= _normalised(f"{encoder}.enc_cat", 0, f"{ours}/join")
  for published, head in (("pres", "presence"), ("depth", "depth"), ("scale", "scale")):
    names |= layer(f"{encoder}.z_{published}_net", f"foreground/{head}_head", convolution)
  names |= layer(f"{encoder}.z_shift_net", "foreground/shift_head", convolution)
  what, ours = f"{FOREGROUND}.z_what_net", "foreground/glimpse_encoder"
  for i, name in enumerate((*(f"conv_{i}" for i in range(5)), "flatten")):
    names |= _normalised(f"{what}.enc_cnn", 3 * i, f"{ours}/{name}")
  names |= layer(f"{what}.enc_what", f"{ours}/moments", linear)
  decoder, ours = f"{FOREGROUND}.glimpse_dec", "foreground/glimpse_decoder"
  names |= _shuffles(f"{decoder}.dec", f"{ours}/body", len(GLIMPSE_BLOCKS))[0]
  names |= layer(f"{decoder}.dec_o", f"{ours}/colour", convolution)
  return names | layer(f"{decoder}.dec_alpha", f"{ours}/alpha", convolution)


def background_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our parameter, of the background."""
  published, ours = BACKGROUND, "background"
  posterior, prior = f"{ours}/mask_posterior", f"{ours}/mask_prior"
  names = {
    f"{published}.z_mask_0": Target(f"{posterior}/first_latent", same),
    f"{published}.rnn_mask_h": Target(f"{posterior}/first_hidden", same),
    f"{published}.rnn_mask_c": Target(f"{posterior}/first_cell", same),
    f"{published}.rnn_mask_h_prior": Target(f"{prior}/first_hidden", same),
  }
  names |= _lstm_cell(f"{published}.rnn_mask", f"{posterior}/lstm")
  names |= layer(f"{published}.predict_mask.fc", f"{posterior}/moments", linear)
  names |= layer(f"{published}.predict_mask_prior.fc", f"{prior}/moments", linear)
  for theirs, name in (("image_enc", "encoder"), ("comp_encoder", "component_encoder")):
    for i in range(4):
      names |= layer(f"{published}.{theirs}.enc.{3 * i}", f"{ours}/{name}/conv_{i}", convolution)
      names |= norm(f"{published}.{theirs}.enc.{3 * i + 1}", f"{ours}/{name}/norm_{i}")
    side = config["side"] // 16
    flattened = linear_after_flatten(side, side)
    names |= layer(f"{published}.{theirs}.enc.13", f"{ours}/{name}/linear", flattened)
  for i, name in enumerate(("hidden_0", "hidden_1", "moments")):
    theirs = f"{published}.predict_comp_prior.mlp.{2 * i}"
    names |= layer(theirs, f"{ours}/component_prior/{name}", linear)
  decoder = f"{ours}/component_decoder"
  if config["background_components"] == 1:
    return names | _shuffle_decoder(f"{published}.comp_decoder.dec", decoder)
  names[f"{published}.rnn_mask_c_prior"] = Target(f"{prior}/first_cell", same)
  names |= _lstm_cell(f"{published}.rnn_mask_prior", f"{prior}/lstm")
  names |= _shuffle_decoder(f"{published}.mask_decoder.dec", f"{ours}/mask_decoder")
  theirs = f"{published}.comp_decoder.decoder"
  for i in range(BROADCAST_LAYERS):
    rearrange = convolution if i else _coordinates_swapped
    names |= layer(f"{theirs}.{3 * i}", f"{decoder}/conv_{i}", rearrange)
    names |= norm(f"{theirs}.{3 * i + 1}", f"{decoder}/norm_{i}")
  return names | layer(f"{theirs}.{3 * BROADCAST_LAYERS}", f"{decoder}/output", convolution)


def statistics_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name -> our running statistic, of the batch norms."""
  places = {"image_enc.enc": "encoder", "comp_encoder.enc": "component_encoder"}
  if config["background_components"] > 1:
    places["comp_decoder.decoder"] = "component_decoder"
  kinds = {"running_mean": "mean", "running_var": "variance"}
  return {
    f"{BACKGROUND}.{published}.{3 * i + 1}.{kind}": Target(
      f"background/{ours}/norm_{i}/{statistic}", same
    )
    for published, ours in places.items()
    for i in range(4)
    for kind, statistic in kinds.items()
  }


def is_ignored(name: str, config: Mapping[str, Any]) -> bool:
  """Whether a published entry carries nothing for a model of this config."""
  if name in NOT_WEIGHTS or name.endswith(BATCH_COUNTERS):
    return True
  return config["background_components"] == 1 and name.startswith(SINGLE_UNUSED)


def import_parameters(
  state_dict: Mapping[str, np.ndarray],
  config: Mapping[str, Any],
  template: Any,
  source: str,
  dtype: type = np.float32,
) -> Any:
  """Parameter tree from a published state dict; strict both ways (see `names.convert`).

  Raises:
    InputError: the checkpoint is of another grid, or as `names.convert`.
  """
  if OFFSET in state_dict:
    grid = np.shape(state_dict[OFFSET])[-1]
    if grid != config["grid"]:
      raise InputError(f"{source} has a grid of {grid}: config.model.grid is {config['grid']}")
  statistics = statistics_table(config)
  weights = {
    name: value
    for name, value in state_dict.items()
    if name not in statistics and not is_ignored(name, config)
  }
  return convert(weights, table(config), template, source, dtype=dtype)


def import_model_state(
  state_dict, checkpoint, config, template, source, dtype: type = np.float32
) -> dict[str, Any]:
  """The running statistics."""
  del checkpoint
  names = statistics_table(config)
  statistics = {name: value for name, value in state_dict.items() if name in names}
  like = template["batch_stats"]
  return {"batch_stats": convert(statistics, names, like, source, dtype=dtype)}


def steps_done(checkpoint: Mapping[str, Any]) -> int:
  """How long a model was trained, from what the published training saves.

  It counts from 0 and saves the number of the step it has just done.
  """
  return int(checkpoint["global_step"]) + 1 if "global_step" in checkpoint else 0


def model_config(arch: Mapping[str, Any]) -> dict[str, Any]:
  """`config.model` for the settings `arch` of the published code (its config.py).

  Raises:
    InputError: the settings ask for something the published model could not do either.
  """
  height, width = arch["img_shape"]
  if height != width:
    raise InputError(f"arch.img_shape is {height} x {width}: square images are needed")
  hidden, prior_hidden = arch["rnn_mask_hidden_dim"], arch["rnn_mask_prior_hidden_dim"]
  if hidden != prior_hidden:
    raise InputError(
      f"arch.rnn_mask_hidden_dim and rnn_mask_prior_hidden_dim are {hidden} and {prior_hidden}: "
      "this model needs them equal"
    )
  return {
    "side": height,
    "grid": arch["G"],
    "glimpse": arch["glimpse_size"],
    "encoder_features": arch["img_enc_dim_fg"],
    "object_latents": arch["z_what_dim"],
    "background_components": arch["K"],
    "background_features": arch["img_enc_dim_bg"],
    "mask_latents": arch["z_mask_dim"],
    "component_latents": arch["z_comp_dim"],
    "mask_hidden": hidden,
    "component_prior_hidden": arch["predict_comp_hidden_dim"],
    "foreground_deviation": arch["fg_sigma"],
    "background_deviation": arch["bg_sigma"],
    "scale_prior_deviation": arch["z_scale_std_value"],
    "settled": {
      "presence_prior": arch["z_pres_end_value"],
      "scale_prior_mean": arch["z_scale_mean_end_value"],
      "presence_temperature": arch["tau_end_value"],
    },
    "rematerialise": False,
    "unroll": 0,
    "dtype": "float32",
  }


def schedules(arch: Mapping[str, Any]) -> dict[str, Any]:
  """`config.train.schedules` for the settings `arch` of the published code."""
  last, share = arch["fix_alpha_steps"], arch["fix_alpha_value"]
  boundary = dict(kind="piecewise", values=(1.0, 0.0), steps=(arch["bl_off_step"] + 1,))
  # The published test skips step 0, when alpha is not fixed yet.
  fixed = dict(kind="piecewise", values=(-1.0, share, -1.0), steps=(1, last))
  return {
    "presence_prior": _annealed(arch, "z_pres"),
    "scale_prior_mean": _annealed(arch, "z_scale_mean"),
    "presence_temperature": _annealed(arch, "tau"),
    "fixed_alpha": fixed if last > 1 else -1.0,
    "fixed_presence": -1.0,
    "boundary_weight": boundary if arch["boundary_loss"] else 0.0,
  }


def _annealed(arch: Mapping[str, Any], name: str) -> dict[str, Any]:
  begin, until = arch[f"{name}_start_step"], arch[f"{name}_end_step"]
  start, end = arch[f"{name}_start_value"], arch[f"{name}_end_value"]
  if until <= begin:
    return dict(kind="piecewise", values=(start, end), steps=(begin + 1,))
  return dict(kind="linear", start=start, end=end, steps=until - begin, begin=begin)


def _normalised(published: str, position: int, ours: str) -> dict[str, Target]:
  """A convolution, its ELU and its group norm, from this position of a sequence on."""
  return layer(f"{published}.{position}", f"{ours}/conv", convolution) | norm(
    f"{published}.{position + 2}", f"{ours}/norm"
  )


def _shuffles(published: str, ours: str, blocks: int) -> tuple[dict[str, Target], int]:
  """The layers of a `SubPixelDecoder` and the position after them."""
  names, position = _normalised(published, 0, f"{ours}/widen"), 3
  for i in range(blocks):
    names |= layer(f"{published}.{position}", f"{ours}/enlarge_{i}/conv", convolution)
    names |= norm(f"{published}.{position + 3}", f"{ours}/enlarge_{i}/norm")
    names |= _normalised(published, position + 4, f"{ours}/refine_{i}")
    position += 7
  return names, position


def _shuffle_decoder(published: str, ours: str) -> dict[str, Target]:
  """The layers of a `ShuffleDecoder`."""
  names, position = _shuffles(published, f"{ours}/body", len(DECODER_BLOCKS))
  names |= _normalised(published, position, f"{ours}/last")
  return names | layer(f"{published}.{position + 3}", f"{ours}/output", convolution)


def _lstm_cell(published: str, ours: str) -> dict[str, Target]:
  return {
    f"{published}.weight_ih": Target(f"{ours}/input_kernel", linear),
    f"{published}.weight_hh": Target(f"{ours}/hidden_kernel", linear),
    f"{published}.bias_ih": Target(f"{ours}/input_bias", same),
    f"{published}.bias_hh": Target(f"{ours}/hidden_bias", same),
  }


def _coordinates_swapped(weight: np.ndarray) -> np.ndarray:
  """Convolution whose last input channels are coordinates of columns, then rows; ours differ."""
  kernel = convolution(weight)
  return np.concatenate([kernel[:, :, :-2], kernel[:, :, :-3:-1]], axis=2)
