"""What the models of applied-ai-lab/genesis share in their checkpoints and flags.

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
  norm,
  same,
  transposed_convolution,
)
from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.geco import geco_start
from objectcentric_jax.nn.gated import DECODER_FEATURES, ENCODER_FEATURES
from objectcentric_jax.nn.unet import unet_channels

Table = dict[str, Target]

# Counters of batch norm, and coordinates that old versions stored.
IGNORED = ("num_batches_tracked", "pixel_coords.g_1", "pixel_coords.g_2")
NORMS = {"bn": "batch", "in": "instance", "none": "none"}


def steps_done(checkpoint: Mapping[str, Any]) -> int:
  """How long a model was trained, from what the published training saves."""
  return int(checkpoint.get("iter_idx", 0))


def unet_table(published: str, ours: str, side: int) -> Table:
  """Targets of `nn.unet.UNet` (without the published `final_conv`)."""
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


def gated_encoder_table(published: str, ours: str, normalised: bool) -> Table:
  """Targets of `nn.gated.GatedEncoder`."""
  count = len(ENCODER_FEATURES)
  table = layer(f"{published}.{count}.conv", f"{ours}/final/conv", convolution)
  for i in range(count):
    table |= _gated(f"{published}.{i}", f"{ours}/conv_{i}", convolution, normalised)
  return table


def gated_decoder_table(published: str, ours: str, output: str, normalised: bool) -> Table:
  """Targets of `nn.gated.GatedDecoder`; `output` is the published name of its last layer."""
  table = layer(f"{published}.0.conv", f"{ours}/start/conv", transposed_convolution)
  for i in range(len(DECODER_FEATURES)):
    names = f"{published}.{i + 1}", f"{ours}/conv_{i}"
    table |= _gated(*names, transposed_convolution, normalised)
  return table | layer(output, f"{ours}/output", convolution)


def _gated(published: str, ours: str, rearrange, normalised: bool) -> Table:
  table = layer(f"{published}.conv", f"{ours}/conv", rearrange)
  if normalised:
    table |= norm(f"{published}.h_norm", f"{ours}/value_norm")
    table |= norm(f"{published}.g_norm", f"{ours}/gate_norm")
  return table


def broadcast_decoder_table(published: str, ours: str, layers: int) -> Table:
  """Targets of `nn.broadcast_decoder.BroadcastDecoder`."""
  table = layer(f"{published}.seq.{2 * layers + 1}", f"{ours}/output", convolution)
  for i in range(layers):
    table |= layer(f"{published}.seq.{2 * i + 1}", f"{ours}/conv_{i}", convolution)
  return table


def component_table(published: str, ours: str, side: int, layers: int) -> Table:
  """Targets of `nn.component_autoencoder.ComponentAutoencoder`."""
  encoder = f"{published}.encoder_module.module"
  table = broadcast_decoder_table(f"{published}.decoder_module", f"{ours}/decoder", layers)
  for i in range(4):
    table |= layer(f"{encoder}.{2 * i}", f"{ours}/encoder/conv_{i}", convolution)
  flatten = linear_after_flatten(side // 16, side // 16)
  table |= layer(f"{encoder}.9", f"{ours}/encoder/hidden", flatten)
  return table | layer(f"{encoder}.11", f"{ours}/encoder/moments", linear)


def running_statistics(table: Table) -> Table:
  """Targets of the running statistics that belong to the batch norms of this table."""
  statistics = {}
  for name, target in table.items():
    if target.path.endswith("_norm/scale"):
      published, ours = name.removesuffix("weight"), target.path.removesuffix("scale")
      statistics[f"{published}running_mean"] = Target(f"{ours}mean", same)
      statistics[f"{published}running_var"] = Target(f"{ours}variance", same)
  return statistics


def split_state_dict(
  state_dict: Mapping[str, np.ndarray], statistics: Table
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Parameters and running statistics; `std`, a constant of the likelihood, is in neither."""
  parameters = {n: v for n, v in state_dict.items() if n not in statistics and n != "std"}
  return parameters, {n: v for n, v in state_dict.items() if n in statistics}


def import_tree(
  state_dict: Mapping[str, np.ndarray], table: Table, template: Any, source: str, dtype: type
) -> Any:
  """`names.convert` with what these checkpoints hold beside weights left out."""
  return convert(state_dict, table, template, source, IGNORED, dtype)


def check_deviations(state_dict: Mapping[str, np.ndarray], config: Mapping[str, Any], source: str):
  """Raises InputError unless the pixel deviations in the file are those of `config.model`."""
  stored = np.asarray(state_dict.get("std", np.zeros(0)), np.float64).ravel()
  first, others = config["first_pixel_deviation"], config["pixel_deviation"]
  expected = np.asarray([first] + [others] * (config["slots"] - 1))
  if stored.shape != expected.shape or not np.allclose(stored, expected, rtol=1e-6):
    raise InputError(
      f"{source}: std is {stored.tolist()}, but config.model has slots {config['slots']}, "
      f"first_pixel_deviation {first} and pixel_deviation {others}"
    )


def geco_state(
  checkpoint: Mapping[str, Any], config: Mapping[str, Any], source: str
) -> dict[str, Any]:
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


def import_geco_state(
  state_dict, checkpoint, config, template, source, dtype: type = np.float32
) -> dict[str, Any]:
  """The model state of models that have nothing in it but GECO's."""
  del state_dict, template, dtype
  return geco_state(checkpoint, config, source)


def geco_config(flags: Mapping[str, Any]) -> dict[str, Any]:
  """`config.model.geco` for the published training flags, with their defaults."""
  return {
    "use": flags.get("geco", True),
    "goal": flags.get("g_goal", 0.5655),
    "rate": flags.get("g_lr", 1e-5),
    "decay": flags.get("g_alpha", 0.99),
    "start": flags.get("g_init", 1.0),
    "minimum": flags.get("g_min", 1e-10),
    "speedup": flags.get("g_speedup", 10.0),
  }
