"""SCALOR from the fields of a config."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from objectcentric_jax.errors import InputError, check_fields, check_positive
from objectcentric_jax.losses.perceptual import check_layers
from objectcentric_jax.models.scalor.background import (
  DECODERS,
  KINDS,
  SHUFFLES,
  BackgroundNetwork,
)
from objectcentric_jax.models.scalor.discovery import Discovery
from objectcentric_jax.models.scalor.discriminator import Discriminator
from objectcentric_jax.models.scalor.frame_encoder import FrameEncoder, check_grid
from objectcentric_jax.models.scalor.objective import SETTLED, Perceptual, ScalorTask
from objectcentric_jax.models.scalor.objects import (
  ENCODERS,
  Anchors,
  GlimpseDecoder,
  GlimpseEncoder,
)
from objectcentric_jax.models.scalor.propagation import Propagation
from objectcentric_jax.models.scalor.scalor import Scalor
from objectcentric_jax.nn.compute import compute_dtype

ANCHORS = ("scale", "scale_range", "ratio", "ratio_range")
BACKGROUND = ("kind", "decoder", "latents", "hidden")
PERCEPTUAL = ("use", "weights", "layers", "deviation", "weight")
# Widths of the networks, as published unless a checkpoint of one's own needs others.
WIDTHS = (
  *("frame_features", "mask_features", "glimpse_features"),
  *("hidden", "inputs", "prior_hidden", "prior_inputs", "attention_hidden", "attention_features"),
  *("where_hidden", "depth_hidden", "presence_hidden", "what_hidden"),
)
FIELDS = (
  *("side", "grid", "glimpse", "latents", "recurrent", "widths", "anchors", "step"),
  *("slots", "evaluation_slots", "reject", "explained_share", "largest_logit"),
  *("reuse_identities", "background", "pixel_deviation", "settled", "observed_frames"),
  *("generated_frames", "generated_presence", "fixed_backgrounds", "likelihood_draws", "carried"),
  *("perceptual", "adversarial", "rematerialise", "unroll", "dtype"),
)


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> ScalorTask:
  """Builds the task from `config.model`.

  Fields: `side` of frames, `grid`, side of `glimpse`s, `latents` of an object; `recurrent`, the
  features of each layer of the convolutional LSTM (none leaves it out); `widths` with WIDTHS;
  `anchors` as `Anchors`; `step`, `reject`, `explained_share`, `largest_logit` as in `Propagation`
  and `Discovery`; `background` as `BackgroundNetwork`; `slots`, `evaluation_slots`,
  `reuse_identities`, `generated_presence`, `rematerialise`, `unroll` as `Scalor`;
  `pixel_deviation`, `observed_frames`, `generated_frames`, `fixed_backgrounds`, `likelihood_draws`,
  `carried` as `ScalorTask`; `settled` with a value for each of SETTLED; `perceptual` as
  `Perceptual`, if `use`d; `adversarial`, whether there is a discriminator; `dtype` ("float32" or
  "bfloat16").

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check(config)
  side, grid, glimpse, latents = (config[n] for n in ("side", "grid", "glimpse", "latents"))
  widths = dict(config["widths"])
  dtype = compute_dtype(config["dtype"])
  frame_features, mask_features, glimpse_features = (
    widths.pop(f"{name}_features") for name in ("frame", "mask", "glimpse")
  )
  unroll = config["unroll"] or 1
  found = dict(
    side=side,
    grid=grid,
    glimpse=glimpse,
    anchors=Anchors(**config["anchors"]),
    largest_logit=config["largest_logit"],
    dtype=dtype,
  )
  network = Scalor(
    frame_encoder=FrameEncoder(
      side, grid, frame_features, tuple(config["recurrent"]), unroll, dtype
    ),
    glimpse_encoder=GlimpseEncoder(glimpse, latents, glimpse_features, dtype),
    glimpse_decoder=GlimpseDecoder(glimpse, side, dtype),
    background=BackgroundNetwork(side, **config["background"], dtype=dtype),
    make_propagation=partial(Propagation, latents=latents, step=config["step"], **widths, **found),
    make_discovery=partial(
      Discovery,
      mask_features=mask_features,
      reject=config["reject"],
      explained_share=config["explained_share"],
      **found,
    ),
    slots=config["slots"],
    evaluation_slots=config["evaluation_slots"],
    reuse_identities=config["reuse_identities"],
    generated_presence=config["generated_presence"],
    rematerialise=config["rematerialise"],
    unroll=unroll,
  )
  perceptual = dict(config["perceptual"])
  return ScalorTask(
    network=network,
    pixel_deviation=config["pixel_deviation"],
    settled={name: config["settled"][name] for name in SETTLED},
    observed_frames=config["observed_frames"],
    generated_frames=config["generated_frames"],
    fixed_backgrounds=config["fixed_backgrounds"],
    likelihood_draws=config["likelihood_draws"],
    carried=config["carried"],
    perceptual=Perceptual(**perceptual) if perceptual.pop("use") else None,
    discriminator=Discriminator(axis_name, dtype) if config["adversarial"] else None,
  )


def check(config: Mapping[str, Any]):
  """Raises InputError for what `make_task` cannot build."""
  check_fields("config.model", config, FIELDS)
  sections = dict(
    widths=WIDTHS, anchors=ANCHORS, background=BACKGROUND, settled=SETTLED, perceptual=PERCEPTUAL
  )
  for name, fields in sections.items():
    check_fields(f"config.model.{name}", config[name], fields)
  check_grid(config["side"], config["grid"])
  background = config["background"]
  choices = {
    "glimpse": (config["glimpse"], tuple(ENCODERS)),
    "background.kind": (background["kind"], KINDS),
    "background.decoder": (background["decoder"], DECODERS),
  }
  if background["decoder"] == "shuffle":
    choices["side"] = config["side"], tuple(SHUFFLES)
  for name, (value, known) in choices.items():
    if value not in known:
      listed = ", ".join(map(str, known))
      raise InputError(f"config.model.{name} is {value!r}: choose one of {listed}")
  whole = ("evaluation_slots", "latents", "generated_frames", "fixed_backgrounds")
  check_positive("config.model", config, whole)
  above_zero = {name: config[name] for name in ("pixel_deviation", "largest_logit", "step")}
  above_zero["settled.temperature"] = config["settled"]["temperature"]
  if config["perceptual"]["use"]:
    check_layers(config["perceptual"]["layers"])
    above_zero["perceptual.deviation"] = config["perceptual"]["deviation"]
  for name, value in above_zero.items():
    if value <= 0:
      raise InputError(f"config.model.{name} is {value}: a number above 0 is needed")
  for name in ("slots", "observed_frames", "likelihood_draws"):
    if config[name] < 0:
      raise InputError(f"config.model.{name} is {config[name]}: 0 or more is needed")
  for name in ("generated_presence", "explained_share"):
    if not 0 < config[name] < 1:
      raise InputError(f"config.model.{name} is {config[name]}: between 0 and 1 is needed")
