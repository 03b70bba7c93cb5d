"""Names of published SCALOR checkpoints, of the original and of its MOTSynth extension.

JindongJiang/SCALOR and orhunguley/unsupervised_object_learning, and their settings under our names.
"""

from collections.abc import Mapping
from typing import Any

import jax
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
from objectcentric_jax.models.scalor.background import SHUFFLES
from objectcentric_jax.models.scalor.discriminator import FEATURES
from objectcentric_jax.models.scalor.frame_encoder import LARGE, frame_layers, mask_layers
from objectcentric_jax.models.scalor.layers import Layer
from objectcentric_jax.models.scalor.objects import DECODERS, ENCODERS
from objectcentric_jax.training.devices import CARRY

MODULE = "objectcentric_jax.models.scalor.task"
PUBLISHED = {"reuse_identities": True}  # not part of a checkpoint: how its code numbers objects

PARALLEL = ".module"  # what DataParallel puts into names
# The networks of glimpses under every name but their first.
ALIASES = tuple(
  f"{cell}.{net}."
  for cell, nets in (
    ("propagate_cell", ("z_what_net", "glimpse_dec_net")),
    ("proposal_rejection_cell", ("z_what_net", "glimpse_dec")),
  )
  for net in nets
)
# Constants, thresholds, colours, and the value of an annealed prior.
NOT_WEIGHTS = (
  *("z_pres_disc_threshold", "prior_bg_mean_t1", "prior_bg_std_t1", "color_t"),
  *("propagate_cell.z_pres_stop_threshold", "bg_dec.position_embedding"),
  *(
    f"proposal_rejection_cell.{name}"
    for name in (
      *(
        f"prior_{of}_{moment}"
        for of in ("what", "bg", "depth", "where")
        for moment in ("mean", "std")
      ),
      *("prior_z_pres_prob", "num_cell", "ProposalNet.offset"),
    )
  ),
  *(f"image_enc.conv_lstm.cell_list.{i}.{state}_0" for i in range(2) for state in "hc"),
)
INFERENCE = ("bg_enc.", "bg_prior_rnn.", "bg_prior_net.")  # not used with a fixed background
COUNTERS = (".num_batches_tracked",)


def plain(name: str) -> str:
  """The name without the infix of DataParallel."""
  return name.replace(f"{PARALLEL}.", ".")


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name, without infix -> our parameter, for `config.model`."""
  names = frame_table(config) | glimpse_table(config)
  names |= propagation_table(config) | discovery_table(config)
  return names | background_table(config)


def frame_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Of the frame encoder."""
  recurrent = config["recurrent"]
  published = "image_enc.image_enc" if recurrent else "image_enc"
  ours = "frame_encoder/grid"
  layers = frame_layers(config["side"], config["grid"], 64)
  refine = Layer(64, 3, 8, 1, 1)
  names = stack(f"{published}.enc", f"{ours}/reduce", layers)
  names |= stack(f"{published}.enc_lat", f"{ours}/lateral", (refine,) * 2)
  names |= stack(f"{published}.enc_cat", f"{ours}/join", (refine,))
  for i in range(len(recurrent)):
    cell, lstm = f"image_enc.conv_lstm.cell_list.{i}", f"frame_encoder/recurrent_{i}"
    names |= layer(f"{cell}.conv_x", f"{lstm}/entering", convolution)
    names |= layer(f"{cell}.conv_h", f"{lstm}/recurrent", convolution, bias=False)
    for short, gate in (("i", "enter"), ("f", "forget"), ("o", "leave")):
      names[f"{cell}.Wc{short}"] = Target(f"{lstm}/{gate}_peephole", _peephole)
  return names


def glimpse_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Of the networks of glimpses."""
  side = config["glimpse"]
  encoder = (*ENCODERS[side], Layer(128, 4, 16))
  names = stack("z_what_net.enc_cnn", "glimpse_encoder/stack", encoder)
  names |= layer("z_what_net.enc_what", "glimpse_encoder/moments", linear)
  names |= stack("glimpse_dec_net.dec", "glimpse_decoder/stack", DECODERS[side])
  deep = config["side"] >= LARGE
  for published, ours in (("dec_o", "colour"), ("dec_alpha", "alpha")):
    names |= head(f"glimpse_dec_net.{published}", f"glimpse_decoder/{ours}", deep)
  return names


def propagation_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Of the propagation."""
  published, ours = "propagate_cell", "propagation"
  attention = f"{published}.attention_encoding"
  names = _normalised(f"{attention}.temporal_img_conv_net", 0, f"{ours}/attention")
  window = config["grid"] // 2
  flattened = linear_after_flatten(window, window)
  names |= layer(f"{attention}.temporal_img_enc_net", f"{ours}/attention_output", flattened)
  names |= layer(f"{published}.temporal_rnn_inp_net", f"{ours}/recurrence_input", linear)
  names |= recurrence(f"{published}.temporal_rnn.cell", f"{ours}/recurrence")
  for theirs, name in (
    ("z_where_transit_bias_net", "where"),
    ("z_depth_transit_net", "depth"),
    ("z_what_from_temporal_net", "what"),
    ("z_what_gate_net", "gate"),
    ("z_pres_transit", "presence"),
  ):
    for position, part in ((0, "hidden"), (2, "output")):
      target = f"{ours}/{name}_network/{part}"
      names |= layer(f"{published}.{theirs}.{position}", target, linear)
  cell = f"{published}.prior_cell"
  names |= layer(f"{cell}.prior_rnn_inp_net", f"{ours}/prior/input", linear)
  names |= recurrence(f"{cell}.prior_rnn", f"{ours}/prior/lstm")
  heads = dict(what="what", where_bias="motion", depth="depth", pres="presence")
  for theirs, name in heads.items():
    names |= layer(f"{cell}.prior_{theirs}_net", f"{ours}/prior/{name}", linear)
  return names


def discovery_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Of the proposals."""
  published, ours = "proposal_rejection_cell.ProposalNet", "discovery/propose"
  layers = mask_layers(config["side"], config["grid"], 32)
  names = stack(f"{published}.mask_enc_net", f"{ours}/mask", layers)
  names |= stack(f"{published}.img_mask_cat_enc", f"{ours}/join", (Layer(64, 1, 16),) * 2)
  for theirs, name in (
    ("z_where_net", "where"),
    ("z_pres_net", "presence"),
    ("z_depth_net", "depth"),
  ):
    names |= head(f"{published}.{theirs}", f"{ours}/{name}", config["side"] >= LARGE)
  return names


def background_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Of the background, as far as this model has one."""
  side, kind = config["side"], config["background"]["kind"]
  names = {}
  if kind == "none":
    return names
  decoder = "background/decode"
  if config["background"]["decoder"] == "broadcast":
    names |= stack(
      "bg_dec.dec", f"{decoder}/stack", (Layer(64, 5, 8),) * (3 if side >= LARGE else 2)
    )
    names["bg_dec.dec.0.weight"] = Target(
      f"{decoder}/stack/layer_0/conv/kernel", _coordinates_first
    )
    names |= head("bg_dec.bg_dec", f"{decoder}/colour", deep=False)
  else:
    names |= stack("bg_dec.dec", f"{decoder}/stack", SHUFFLES[side])
    names |= head("bg_dec.bg_dec", f"{decoder}/colour", deep=True)
  if kind == "inferred":
    halvings = int(np.log2(side)) - 2
    names |= stack("bg_enc.enc", "background/encoder/stack", (Layer(64, 4, 8),) * halvings)
    names |= layer(f"bg_enc.enc.{3 * halvings}", "background/encoder/moments", convolution)
    names |= recurrence("bg_prior_rnn", "background/prior_cell")
    names |= layer("bg_prior_net", "background/prior_moments", linear)
  return names


def is_ignored(name: str, config: Mapping[str, Any]) -> bool:
  """Whether a published entry, without infix, carries nothing for a model of this config."""
  if name in NOT_WEIGHTS or name.startswith(ALIASES):
    return True
  kind = config["background"]["kind"]
  if kind == "none" and name.startswith("bg_dec."):
    return True
  return kind != "inferred" and name.startswith(INFERENCE)


def import_parameters(
  state_dict: Mapping[str, np.ndarray],
  config: Mapping[str, Any],
  template: Any,
  source: str,
  dtype: type = np.float32,
) -> Any:
  """Parameter tree from a published state dict; strict both ways (see `names.convert`).

  Published checkpoints hold no discriminator; with `config.model.adversarial` ours does.

  Raises:
    InputError: the checkpoint is of another grid, or as `names.convert`.
  """
  found = {plain(name): value for name, value in state_dict.items()}
  _check_grid(found, config, source)
  weights = {name: value for name, value in found.items() if not is_ignored(name, config)}
  return convert(weights, table(config), template, source, dtype=dtype)


def import_model_state(
  state_dict, checkpoint, config, template, source, dtype: type = np.float32
) -> dict[str, Any]:
  """What the published files hold of it, which is nothing; a carry is empty.

  Raises:
    InputError: the config asks for state that no published checkpoint has.
  """
  del state_dict, checkpoint, dtype, config
  missing = sorted(template.keys() - {CARRY})
  if missing:
    raise InputError(
      f"{source} holds parameters alone, but this config keeps {', '.join(missing)} beside them: "
      "import it without perceptual and adversarial losses and with an inferred background"
    )
  return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), dict(template))


def discriminator_table(side: int) -> dict[str, Target]:
  """Published name -> our parameter, of the discriminator's own state dict."""
  names, position = {}, 0
  for i in range(len(FEATURES)):
    names |= layer(f"conv_blocks.{position}", f"judge/conv_{i}", convolution)
    if i:
      names |= norm(f"conv_blocks.{position + 3}", f"judge/norm_{i}")
    position += 4 if i else 3
  left = side // 2 ** len(FEATURES)
  return names | layer("adv_layer.0", "judge/output", linear_after_flatten(left, left))


def discriminator_statistics_table() -> dict[str, Target]:
  """Published name -> our running statistic."""
  kinds = {"running_mean": "mean", "running_var": "variance"}
  return {
    f"conv_blocks.{4 * i + 2}.{kind}": Target(f"judge/norm_{i}/{statistic}", same)
    for i in range(1, len(FEATURES))
    for kind, statistic in kinds.items()
  }


def import_discriminator(
  state_dict: Mapping[str, np.ndarray],
  side: int,
  template: Mapping[str, Any],
  source: str,
  dtype: type = np.float32,
) -> dict[str, Any]:
  """Variables "params" and "batch_stats" of the discriminator; strict both ways."""
  statistics = discriminator_statistics_table()
  weights = {name: value for name, value in state_dict.items() if name not in statistics}
  running = {name: value for name, value in state_dict.items() if name in statistics}
  parameters = discriminator_table(side)
  return {
    "params": convert(weights, parameters, template["params"], source, COUNTERS, dtype),
    "batch_stats": convert(running, statistics, template["batch_stats"], source, dtype=dtype),
  }


def model_config(constants: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
  """`config.model` for the constants and the settings of the published code (its common.py).

  Raises:
    InputError: the settings ask for something the published model could not do either.
  """
  for pair in (("img_h", "img_w"), ("num_cell_h", "num_cell_w")):
    height, width = (constants.get(name, args.get(name)) for name in pair)
    if height != width:
      raise InputError(f"{pair[0]} and {pair[1]} are {height} and {width}: they have to be equal")
  limited = constants.get("phase_obj_num_contrain", True)
  slots = args["max_num_obj"] if limited else 0
  cells = args["num_cell_h"] ** 2
  recurrent = constants["conv_lstm_hid_dim"]
  return {
    "side": constants["img_h"],
    "grid": args["num_cell_h"],
    "glimpse": constants["glimpse_size"],
    "latents": constants["z_what_dim"],
    "recurrent": (recurrent, recurrent) if args["phase_conv_lstm"] else (),
    "widths": {ours: constants[theirs] for ours, theirs in WIDTHS.items()},
    "anchors": {
      "scale": args["size_anc"],
      "scale_range": args["var_s"],
      "ratio": args["ratio_anc"],
      "ratio_range": args["var_anc"],
    },
    "step": constants["where_update_scale"],
    "slots": slots,
    "evaluation_slots": max(2 * args["max_num_obj"], cells),
    "reject": constants.get("phase_rejection", True),
    "explained_share": args["explained_ratio_threshold"],
    "largest_logit": constants["pres_logit_factor"],
    "reuse_identities": True,
    "background": {
      "kind": "none" if args["phase_no_background"] else "inferred",
      "decoder": "broadcast" if args.get("using_bg_sbd", False) else "shuffle",
      "latents": constants["bg_what_dim"],
      "hidden": constants["bg_prior_rnn_hid_dim"],
    },
    "pixel_deviation": args["sigma"],
    "settled": {"temperature": 0.5, "presence_prior": args["z_pres_anneal_end_value"]},
    "observed_frames": args["observe_frames"],
    "generated_frames": constants["seq_len"],
    "generated_presence": args["gen_disc_pres_probs"],
    "fixed_backgrounds": 1,
    "likelihood_draws": 0,
    "carried": False,
    "perceptual": {"use": False, "weights": "", "layers": (), "deviation": 0.1, "weight": 0.01},
    "adversarial": False,
    "rematerialise": False,
    "unroll": 1,
    "dtype": "float32",
  }


# Our name of a width -> the published constant.
WIDTHS = {
  "frame_features": "img_encode_dim",
  "mask_features": "propagate_encode_dim",
  "glimpse_features": "z_what_enc_dim",
  "hidden": "temporal_rnn_hid_dim",
  "inputs": "temporal_rnn_inp_dim",
  "prior_hidden": "prior_rnn_hid_dim",
  "prior_inputs": "prior_rnn_inp_dim",
  "attention_hidden": "temporal_img_enc_hid_dim",
  "attention_features": "temporal_img_enc_dim",
  "where_hidden": "z_where_transit_bias_net_hid_dim",
  "depth_hidden": "z_depth_transit_net_hid_dim",
  "presence_hidden": "z_pres_hid_dim",
  "what_hidden": "z_what_from_temporal_hid_dim",
}
ANNEAL_STEPS = 500  # of the prior of presence
TEMPERATURE_STEPS, LOWEST_TEMPERATURE = 20_000, 0.5


def schedules(args: Mapping[str, Any]) -> dict[str, Any]:
  """`config.train.schedules` for the settings of the published code.

  Its steps count from 1 at the first update, ours from 0; its temperature counts from 0, too.
  """
  start, end = 0.1, args["z_pres_anneal_end_value"]
  first = start + (end - start) / ANNEAL_STEPS
  gates = args["phase_do_remove_detach"]
  curriculum = args.get("phase_bg_alpha_curriculum", False)
  return {
    "temperature": dict(
      kind="exponential",
      start=1.0,
      rate=LOWEST_TEMPERATURE,
      steps=TEMPERATURE_STEPS,
      end=LOWEST_TEMPERATURE,
    ),
    "presence_prior": dict(kind="linear", start=first, end=end, steps=ANNEAL_STEPS - 1),
    "time_gradient": _from_step(args["remove_detach_step"], 0.0, 1.0) if gates else 0.0,
    "object_alpha": _from_step(
      args["bg_alpha_curriculum_steps"], args["bg_alpha_curriculum_value"], -1.0
    )
    if curriculum
    else -1.0,
    "mask_penalty": 0.0,
  }


def _from_step(published_step: int, before: float, after: float) -> dict[str, Any]:
  return dict(kind="piecewise", values=(before, after), steps=(published_step - 1,))


def stack(published: str, ours: str, layers) -> dict[str, Target]:
  """A stack of layers as a published sequence: convolution, (shuffle,) activation, norm."""
  names, position = {}, 0
  for i, settings in enumerate(layers):
    name = f"{ours}/layer_{i}"
    if settings.groups:
      names |= layer(f"{published}.{position}", f"{name}/conv", convolution)
      position += 2 + (settings.factor > 1)
      names |= norm(f"{published}.{position}", f"{name}/norm")
      position += 1
    else:
      names |= layer(f"{published}.{position}", name, convolution)
      position += 2
  return names


def head(published: str, ours: str, deep: bool) -> dict[str, Target]:
  """A head of one normalised layer and the output, or of the output alone."""
  if not deep:
    return layer(published, f"{ours}/output", convolution)
  names = _normalised(published, 0, f"{ours}/stack/layer_0")
  return names | layer(f"{published}.3", f"{ours}/output", convolution)


def recurrence(published: str, ours: str) -> dict[str, Target]:
  """A recurrent cell."""
  return {
    f"{published}.weight_ih": Target(f"{ours}/input_kernel", linear),
    f"{published}.weight_hh": Target(f"{ours}/hidden_kernel", linear),
    f"{published}.bias_ih": Target(f"{ours}/input_bias", same),
    f"{published}.bias_hh": Target(f"{ours}/hidden_bias", same),
  }


def _normalised(published: str, position: int, ours: str) -> dict[str, Target]:
  return layer(f"{published}.{position}", f"{ours}/conv", convolution) | norm(
    f"{published}.{position + 2}", f"{ours}/norm"
  )


def _peephole(weight: np.ndarray) -> np.ndarray:
  """(1, C, G, G) to [G, G, C]."""
  return weight[0].transpose(1, 2, 0)


def _coordinates_first(weight: np.ndarray) -> np.ndarray:
  """Convolution whose first input channels are the coordinates, which are ours' last."""
  kernel = convolution(weight)
  return np.concatenate([kernel[:, :, 2:], kernel[:, :, :2]], axis=2)


def _check_grid(found: Mapping[str, np.ndarray], config: Mapping[str, Any], source: str):
  offset = found.get("proposal_rejection_cell.ProposalNet.offset")
  if offset is not None and np.shape(offset)[-1] != config["grid"]:
    raise InputError(
      f"{source} has a grid of {np.shape(offset)[-1]}: config.model.grid is {config['grid']}"
    )
