"""Published checkpoints of the whole Loci-Segmented, and of its proposal network.

Files of CognitiveModeling/Loci-Segmented are Lightning's: the network is under `net.`.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.checkpoint_import import loci_layers as layers
from objectcentric_jax.checkpoint_import.loci_sequence import (
  discovery_table,
  gate_table,
  mlp,
  predictor_table,
)
from objectcentric_jax.checkpoint_import.names import Target, convolution, layer
from objectcentric_jax.models.loci import loci, proposing
from objectcentric_jax.models.loci.encoder import make_encoder

TASKS = (loci.__name__, proposing.__name__)
DISCOVERY = "object_discovery."
PERMANENCE = f"{DISCOVERY}init.init"  # what object discovery counts
THRESHOLD = f"{DISCOVERY}threshold"  # the same in every checkpoint
LEGACY = ".legacy"  # end of the flags that say how deviations are read
PROPOSAL = "proposal."
RGB_LOSSES = {"YCbCrL2SSIMLoss": "ycbcr_l2_ssim", "l1ssim": "l1_ssim"}  # published name: ours


def is_of(config: Mapping[str, Any]) -> bool:
  """Whether this `config.model` is of the whole model or of the proposals."""
  return "mode" in config or "published_targets" in config


def table(config: Mapping[str, Any]) -> dict[str, Target]:
  """Published name, without `net.`, -> our parameter, for `config.model`."""
  if "mode" not in config:
    proposal = config["proposal"]
    return proposal_table("", "proposal/", proposal["encoder_blocks"], proposal["decoder_blocks"])
  predictor, gate, proposal = (config[part] for part in ("predictor", "update_gate", "proposal"))
  names = {
    **layers.encoder("encoder", "encoder", make_encoder(config, None)),
    **layers.slot_decoder("decoder", "decoder", config),
    **layers.background("background.", "background/", config["background"]["layers"]),
    **predictor_table("predictor.", "predictor/", predictor["layers"]),
    **gate_table("update_gate.", "update_gate/", gate["layers"]),
    **discovery_table(DISCOVERY, "discovery/"),
  }
  if config["mode"] == "segmentation":
    blocks = proposal["encoder_blocks"], proposal["decoder_blocks"]
    names |= proposal_table(PROPOSAL, "proposal/", *blocks)
  return names


def is_ignored(name: str, config: Mapping[str, Any]) -> bool:
  """Whether a published entry, without `net.`, is no parameter of a model of this config."""
  if name in (PERMANENCE, THRESHOLD) or name.endswith(LEGACY):
    return True
  return name.startswith(PROPOSAL) and config.get("mode") in ("random", "regularization")


def import_model_state(state_dict: Mapping[str, np.ndarray], template: Any) -> dict[str, Any]:
  """The belief in permanence; sequences have not begun."""
  if "discovery" not in template:
    return {}
  carry = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), template["carry"])
  return {"discovery": {"permanence": permanence(state_dict)}, "carry": carry}


def permanence(state_dict: Mapping[str, np.ndarray]) -> jax.Array:
  """The logit of the belief in permanence: a scalar."""
  return jnp.asarray(np.asarray(state_dict[PERMANENCE], np.float32).reshape(()))


def proposal_table(
  published: str, ours: str, encoder_blocks: tuple[int, ...], decoder_blocks: tuple[int, ...]
) -> dict[str, Target]:
  """Published name -> our parameter, of the proposal network; prefixes end in their separator."""
  theirs = f"{published}position_estimator"
  coarsest, others = decoder_blocks[3], decoder_blocks[1]
  return {
    **layers.unet(theirs, f"{ours}network", encoder_blocks, coarsest, others, embedded=True),
    **layer(f"{theirs}.to_possition", f"{ours}position", convolution),
    **mlp(f"{theirs}.hyper_network", f"{ours}mixture", ("1", "3", "5")),
  }


def model_config(settings: Mapping[str, Any]) -> dict[str, Any]:
  """`config.model` of the whole model for published settings (a file of its configs/)."""
  model = settings["model"]
  predictor, proposal = model["predictor"], model["position_proposal"]
  background, gate = model["background"], predictor["gate"]
  forced = settings["teacher_forcing"]
  height, width = model["input_size"]
  return {
    "slots": model["num_slots"],
    "mode": model["inference_mode"],
    "input_depth": model["input_depth"],
    "teacher_forcing": forced,
    "drop_over_batch": True,
    "rgb_loss": RGB_LOSSES[model["rgb_loss"]],
    "free_steps": max(settings["backprop_steps"] - forced - 1, 1),
    "permanence_start": -1e-4 * model["entity_pretraining_steps"],
    "permanence_strength": float(model["object_permanence_strength"]),
    "mutual_information": settings["evalualte_ami"],
    "height": height,
    "width": width,
    "gestalt": model["gestalt_size"],
    "squashed_deviation": False,
    "embedding": {name: dict(size) for name, size in model["embedding"].items()},
    "encoder": dict(model["encoder"]),
    "decoder": {name: {"layers": model["decoder"][name]["layers"]} for name in ("depth", "rgb")},
    "background": {
      "latents": background["latent_channels"],
      "layers": background["num_layers"],
      "context": background["depth_context_size"],
      "threshold": background["uncertainty_threshold"],
    },
    "predictor": {
      "channels": predictor["channels"],
      "layers": predictor["layers"],
      "heads": predictor["heads"],
      "opening_cost": predictor["reg_lambda"],
    },
    "update_gate": {
      "channels": gate["num_hidden"],
      "layers": gate["num_layers"],
      "noise": gate["noise_level"],
      "opening_cost": gate["reg_lambda"],
    },
    "proposal": {
      "slots": proposal["num_slots"],
      "channels": proposal["base_channels"],
      "encoder_blocks": tuple(proposal["encoder_blocks"]),
      "decoder_blocks": tuple(proposal["decoder_blocks"]),
    },
    "weights": {
      "reconstruction": model["encoder_regularizer"],
      "position": float(model["position_regularizer"]),
      "appearance": float(model["time_regularizer"]),
    },
    "rematerialise": False,
    "dtype": "float32",
  }
