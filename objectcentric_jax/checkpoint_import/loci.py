"""Published checkpoints of every stage of Loci-Segmented.

Files of CognitiveModeling/Loci-Segmented are Lightning's: the network is under `net.`. All stages
of pretraining save the whole pretrainer; each import takes the part that its config is of, which
shows in the fields of `config.model`.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from objectcentric_jax.checkpoint_import import loci_layers as layers
from objectcentric_jax.checkpoint_import import loci_whole as whole
from objectcentric_jax.checkpoint_import.names import Target, convert, same
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.loci import background_training, encoder_decoder, pretraining
from objectcentric_jax.models.loci.encoder import make_encoder

MODULE = (
  *(pretraining.__name__, encoder_decoder.__name__, background_training.__name__),
  *whole.TASKS,
)
PREFIX = "net."
WHOLE = "whole"
LEGACY = "legacy"  # last word of the flags that say how deviations are read
PARTS = ("mask", "depth", "rgb")
COUNTERS = {
  "init_counter": "calls",
  "init_weight0.num_updates": "first",
  "init_weight1.num_updates": "second",
  "decying_mse.num_updates": "position",
}
CONTEXT_COUNTER = "context_loss.num_updates"
# What a whole pretrainer holds, by the start of its names.
OF_PARTS = {part: (f"{part}_pretrainer.",) for part in PARTS}
OF_PATCHES = tuple(
  f"{part}_patch_{kind}." for part in PARTS for kind in ("embedding", "reconstruction")
)
OF_SLOTS = ("encoder.", "decoder.")
FIRST_POSITION = ("std", "depth")  # of slots
NEVER_USED = ("gestalt_mean", "gestalt_std")


def kind(config: Mapping[str, Any]) -> str:
  """Which stage a `config.model` is of: a part of the pretrainer, "slots" or "background"; or
  WHOLE, the model over time and the proposals.
  """
  if whole.is_of(config):
    return WHOLE
  if "part" in config:
    return config["part"]
  return "slots" if "passes" in config else "background"


def fields_of(state_dict: Mapping[str, np.ndarray], source: str) -> dict[str, Any]:
  """The fields of `config.model` that a checkpoint decides.

  Raises:
    InputError: its parts read deviations in different ways.
  """
  flags = {int(value) for name, value in state_dict.items() if name.split(".")[-1] == LEGACY}
  if len(flags) > 1:
    raise InputError(f"{source}: some parts have the flag {LEGACY} and some have not")
  return {"squashed_deviation": bool(flags.pop())} if flags else {}


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name, without `net.` but for the background's, -> our parameter."""
  stage = kind(config)
  if stage == WHOLE:
    return whole.table(config)
  if stage == "background":
    return layers.background(PREFIX, "", config["background"]["layers"])
  if stage == "embedding":
    return _patch_table()
  if stage in PARTS:
    theirs = f"{stage}_pretrainer"
    names = layers.code_encoder(theirs, "encoder", stage, config)
    return names | layers.DECODERS[stage](f"{theirs}.decoder", "decoder", config)
  return {
    "std": Target("initial_deviation", same),
    "depth": Target("initial_depth", same),
    **layers.encoder("encoder", "encoder", make_encoder(config, None)),
    **layers.slot_decoder("decoder", "decoder", config),
  }


def _patch_table() -> dict[str, Target]:
  names = {}
  for part in PARTS:
    last = "_patch_reconstruction.0" if part == "rgb" else "_patch_reconstruction"
    names |= layers.embedding(f"{part}_patch_embedding.0", f"{part}_embedding")
    names |= layers.reconstruction(f"{part}{last}", f"{part}_reconstruction")
  return names


def is_ignored(name: str, config: Mapping[str, Any]) -> bool:
  """Whether a published entry is no parameter of a model of this config."""
  stage = kind(config)
  if stage == WHOLE:
    return whole.is_ignored(name, config)
  if name.split(".")[-1] == LEGACY or name in (*COUNTERS, CONTEXT_COUNTER, *NEVER_USED):
    return True
  if name in FIRST_POSITION:
    return stage != "slots"
  known = {**OF_PARTS, "embedding": OF_PATCHES, "slots": OF_SLOTS}
  if stage not in known:
    return False
  others = tuple(start for part, starts in known.items() if part != stage for start in starts)
  return name.startswith(others) and not name.startswith(known[stage])


def import_parameters(
  state_dict: Mapping[str, np.ndarray],
  config: Mapping[str, Any],
  template: Any,
  source: str,
  dtype: type = np.float32,
) -> Any:
  """Parameter tree from a published state dict; strict both ways (see `names.convert`).

  Raises:
    InputError: the flag `legacy` is not as `config.model.squashed_deviation` says, or as
      `names.convert`.
  """
  for name, value in fields_of(state_dict, source).items():
    if config[name] != value:
      raise InputError(f"{source} needs config.model.{name} {value}, it is {config[name]}")
  names = _unwrapped(state_dict, config)
  weights = {name: value for name, value in names.items() if not is_ignored(name, config)}
  return convert(weights, table(config), template, source, dtype=dtype)


def _unwrapped(state_dict, config) -> dict[str, np.ndarray]:
  if kind(config) == "background":
    return dict(state_dict)
  return {name.removeprefix(PREFIX): value for name, value in state_dict.items()}


def import_model_state(
  state_dict, checkpoint, config, template, source, dtype: type = np.float32
) -> dict[str, Any]:
  """The counters; those that the checkpoint lacks begin anew."""
  del checkpoint, source, dtype
  if kind(config) == WHOLE:
    return whole.import_model_state(_unwrapped(state_dict, config), template)
  if "counters" not in template:
    return {}
  names = _unwrapped(state_dict, config)
  if kind(config) == "background":
    published, counted = {CONTEXT_COUNTER: "context"}, {}
  else:
    first = round(-encoder_decoder.UNWEIGHTED_CALLS * config["stretch"])
    published, counted = COUNTERS, {"calls": first}
  for theirs, ours in published.items():
    if theirs in names:
      counted[ours] = np.asarray(names[theirs]).reshape(())
  counters = {
    ours: jnp.asarray(int(counted.get(ours, 0)), jnp.int32) for ours in published.values()
  }
  return {"counters": counters}


def model_config(published: Mapping[str, Any], stage: str, squashed: bool) -> dict[str, Any]:
  """`config.model` of a stage for a published config file.

  Args:
    published: the contents of the file.
    stage: see `kind`.
    squashed: see `fields_of`.
  """
  model = published["model"]
  if stage == "background":
    return {**background_config(model), **BACKGROUND_SETTINGS, "dtype": "float32"}
  height, width = model["input_size"]
  config = {
    "height": height,
    "width": width,
    "gestalt": model["gestalt_size"],
    "embedding": model["embedding"],
    "encoder": model["encoder"],
    "decoder": {part: _decoder_config(model["decoder"][part]) for part in PARTS},
    "rgb_loss": "l1_ssim" if model["rgb_loss"] == "l1ssim" else "ycbcr_l2_ssim",
    "squashed_deviation": squashed,
    "rematerialise": False,
    "dtype": "float32",
  }
  if stage != "slots":
    return {"part": stage, **config}
  return {
    "passes": published["pretrainer_iterations"],
    "input_depth": model["input_depth"],
    "stretch": model["gradient_accumulation_steps"],
    "initial_size": -1.0,
    "position_stretch": model["gradient_accumulation_steps"],
    **config,
  }


BACKGROUND_SETTINGS = {
  "colour_input": 1.0,
  "static": 0.0,
  "uncertainty_regulariser": 0.0,
  "rgb_weight": 0.0,
  "depth_weighting": 0.0,
}


def background_config(model: Mapping[str, Any]) -> dict[str, Any]:
  """The fields of the background for the section `model` of a published config file.

  Raises:
    InputError: the codes of motion and depth, which are added, differ in size.
  """
  section = model["background"]
  sizes = section["motion_context_size"], section["depth_context_size"]
  if len(set(sizes)) > 1:
    raise InputError(f"motion_context_size and depth_context_size are {sizes}: they are added")
  height, width = model["input_size"]
  return {
    "height": height,
    "width": width,
    "input_depth": model["input_depth"],
    "supervision": section["supervision_factor"],
    "background": {
      "latents": section["latent_channels"],
      "layers": section["num_layers"],
      "context": sizes[0],
      "threshold": section["uncertainty_threshold"],
    },
  }


def _decoder_config(section: Mapping[str, Any]) -> dict[str, Any]:
  layers = {"layers": section["layers"]} if "layers" in section else {}
  return {
    **layers,
    "encoder_blocks": section["pretrain_encoder_blocks"],
    "encoder_channels": section["pretrain_encoder_channels"],
  }
