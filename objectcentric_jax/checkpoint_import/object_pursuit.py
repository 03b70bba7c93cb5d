"""Names of published Object Pursuit checkpoints (pptrick/Object-Pursuit).

A joint checkpoint holds `z`, `hypernet.*` and `backbone.*`; the files of a pursuit hold parts of
it, also as `blocks.*` and `module.*`. Its folder is read as such a checkpoint, with a latent for
each object that it knows. The baselines have the names of their PyTorch modules.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from objectcentric_jax.checkpoint_import import torch_file
from objectcentric_jax.checkpoint_import.names import (
  Target,
  convert,
  convolution,
  layer,
  linear,
  norm,
  same,
)
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit.hypernetwork import stages
from objectcentric_jax.models.object_pursuit.layers import (
  BACKBONE,
  MASK_LAYER,
  Kernel,
  Table,
  backbone_table,
  head_table,
  normalisation,
  part_name,
  whole_table,
)
from objectcentric_jax.models.object_pursuit.unet import DOWN, UP

MODULE = "objectcentric_jax.models.object_pursuit.object_pursuit"
# The published trainings and scores draw dropout and take the batch's statistics everywhere.
PUBLISHED = {"dropout": "always", "statistics": "batch"}

HYPERNETWORK = "hypernet"
LATENTS = "z"
PREFIXES = {"blocks.": f"{HYPERNETWORK}.blocks.", "module.": f"{BACKBONE}."}  # short for
BATCH_COUNTERS = (".num_batches_tracked",)
MOMENTS = {"running_mean": "mean", "running_var": "variance"}


def canonical(state_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The entries by the names they have in a joint checkpoint."""
  renamed = {}
  for name, value in state_dict.items():
    for short, full in PREFIXES.items():
      if name.startswith(short):
        name = full + name.removeprefix(short)
    renamed[name] = value
  return renamed


# Tables: published name -> our parameter


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Of all parameters that `config.model` describes."""
  kind, head, width = config["kind"], head_table(**config["widths"]), config["widths"]["backbone"]
  if kind == "unet":
    return unet_table()[0]
  if kind == "deeplab":
    return deeplab_table(whole_table(head, width))[0]
  names = {LATENTS: Target("latents", same)} if kind == "multinet" else {}
  if config["generated"] == "all":
    return names | hypernetwork_table(whole_table(head, width))
  return names | hypernetwork_table(head) | network_table(backbone_table(width), BACKBONE)[0]


def statistics_table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Of all running statistics that `config.model` describes."""
  kind, head, width = config["kind"], head_table(**config["widths"]), config["widths"]["backbone"]
  if kind == "unet":
    return unet_table()[1]
  if kind == "deeplab":
    return deeplab_table(whole_table(head, width))[1]
  return network_table(backbone_table(width), BACKBONE)[1] if config["generated"] == "head" else {}


def hypernetwork_table(layers: Table) -> dict[str, Target]:
  """Of the hypernetwork that generates these layers."""
  names = {}
  for name, kernel in layers.items():
    published = f"{HYPERNETWORK}.blocks.{part_name(name)}"
    names |= _block_table(published, f"hypernetwork/{part_name(name)}", kernel)
  return names


def _block_table(published: str, ours: str, kernel: Kernel) -> dict[str, Target]:
  doublings = len(list(stages(kernel[0], kernel[1])))
  drawn, sequence = f"{ours}/kernel", f"{published}.conv_kernel_gen"
  names = layer(f"{published}.expand_linear", f"{drawn}/expand", linear)
  for i in range(doublings):
    names |= layer(f"{sequence}.{3 * i + 1}", f"{drawn}/stage_{i}", convolution)
  names |= layer(f"{sequence}.{3 * doublings}", f"{drawn}/taps", convolution)
  names |= layer(f"{sequence}.{3 * doublings + 2}", f"{drawn}/trim", convolution)
  for theirs, part in (("bn_weight", "scale"), ("bn_bias", "bias")):
    for i, place in enumerate(("net.0.net.0", "net.1.net.0", "net.2")):
      names |= layer(f"{published}.{theirs}.{place}", f"{ours}/{part}/linear_{i}", linear)
  return names


def network_table(layers: Table, ours: str) -> tuple[dict[str, Target], dict[str, Target]]:
  """Of layers with parameters of their own below `ours`, and of their running statistics."""
  names, statistics = {}, {}
  for name in layers:
    place = f"{ours}/{part_name(name)}"
    if name == MASK_LAYER:
      names |= layer(name, place, convolution)
      continue
    names |= layer(name, f"{place}/conv", convolution, bias=False)
    names |= norm(normalisation(name), f"{place}/norm")
    statistics |= _moments(normalisation(name), f"{place}/norm")
  return names, statistics


def deeplab_table(layers: Table) -> tuple[dict[str, Target], dict[str, Target]]:
  """Of the network with parameters of its own in every layer, and of its running statistics."""
  backbone = {name: kernel for name, kernel in layers.items() if name.startswith(BACKBONE)}
  head = {name: kernel for name, kernel in layers.items() if name not in backbone}
  parts = network_table(backbone, BACKBONE), network_table(head, "head")
  return parts[0][0] | parts[1][0], parts[0][1] | parts[1][1]


def unet_table() -> tuple[dict[str, Target], dict[str, Target]]:
  """Of the U-Net, and of its running statistics."""
  blocks = {"inc": "inside"}
  blocks |= {f"down{i + 1}.maxpool_conv.1": f"down_{i}" for i in range(len(DOWN))}
  blocks |= {f"up{i + 1}.conv": f"up_{i}" for i in range(len(UP))}
  names = layer("outc.conv", "unet/output", convolution)
  statistics = {}
  for published, ours in blocks.items():
    for i in range(2):
      sequence = f"{published}.double_conv"
      names |= layer(f"{sequence}.{3 * i}", f"unet/{ours}/conv_{i}", convolution)
      names |= norm(f"{sequence}.{3 * i + 1}", f"unet/{ours}/norm_{i}")
      statistics |= _moments(f"{sequence}.{3 * i + 1}", f"unet/{ours}/norm_{i}")
  return names, statistics


def _moments(published: str, ours: str) -> dict[str, Target]:
  return {f"{published}.{kind}": Target(f"{ours}/{name}", same) for kind, name in MOMENTS.items()}


# Import


def read(source: str | Path) -> Any:
  """A checkpoint file, or the folder of a pursuit as one joint checkpoint.

  Raises:
    InputError: as `torch_file.read`, and where a folder is none of a pursuit.
  """
  folder = Path(source)
  if not folder.is_dir():
    return torch_file.read(folder)
  parts = {HYPERNETWORK: folder / "checkpoint" / "hypernet.pth"}
  if (folder / "checkpoint" / "backbone.pth").exists():  # else it is generated, too
    parts[BACKBONE] = folder / "checkpoint" / "backbone.pth"
  latents = next((f for f in (folder / "zs", folder / "Bases") if f.is_dir()), None)
  if latents is None or not parts[HYPERNETWORK].exists():
    raise InputError(f"{folder} is no pursuit: it lacks zs/ or checkpoint/hypernet.pth")
  state_dict = {LATENTS: read_latents(latents)}
  for prefix, file in parts.items():
    found = canonical(torch_file.read(file))  # holds more than tensors, which is left out
    state_dict |= {name: x for name, x in found.items() if name.startswith(f"{prefix}.")}
  return state_dict


def sizes(state_dict: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> dict[str, int]:
  """The fields of `config.model` that follow from how many latents there are."""
  if LATENTS not in state_dict or config["kind"] != "multinet":
    return {}
  objects, latent_size = np.shape(state_dict[LATENTS])
  return {"objects": objects, "latent_size": latent_size}


def import_parameters(
  state_dict: Mapping[str, np.ndarray],
  config: Mapping[str, Any],
  template: Any,
  source: str,
  dtype: type = np.float32,
) -> Any:
  """Parameter tree from a published state dict; strict both ways (see `names.convert`)."""
  statistics = statistics_table(config)
  weights = {n: value for n, value in canonical(state_dict).items() if n not in statistics}
  return convert(weights, table(config), template, source, BATCH_COUNTERS, dtype)


def import_model_state(
  state_dict, checkpoint, config, template, source, dtype: type = np.float32
) -> dict[str, Any]:
  """The running statistics."""
  del checkpoint
  names = statistics_table(config)
  if not names:
    return {}
  found = {n: value for n, value in canonical(state_dict).items() if n in names}
  like = template["batch_stats"]
  return {"batch_stats": convert(found, names, like, source, dtype=dtype)}


def read_latents(path: Path) -> np.ndarray:
  """Latents [n, D] from a folder of the published files, one each, or from one file of all.

  The files of a folder end in `.json` or `.pth` and are PyTorch's, whatever they are called; they
  are read in the order of their names.

  Raises:
    InputError: there are none, or a file holds none.
  """
  if path.is_dir():
    files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".pth"))
    if not files:
      raise InputError(f"{path} holds no latents: files that end in .json or .pth are expected")
    return np.concatenate([read_latents(file) for file in files])
  content = torch_file.read(path)
  if not isinstance(content, Mapping) or LATENTS not in content:
    raise InputError(f"{path} has no entry {LATENTS!r}: it holds no latents")
  latents = np.asarray(content[LATENTS], np.float32)
  return latents.reshape(-1, latents.shape[-1])
